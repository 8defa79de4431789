"""The small ones: four layers of width 256, which learn from the models that ship what those say of the training texts."""
import names, opinions
from steps import measured, trained

SHAPE = dict(layers=4, hidden=256, learning_rate=5e-4, batch_size=32)


def make(a):
    opinions.make(a)
    trained("sentiment-en-v2-small", "distil_distill",
            "SELECT body FROM sentiment_short UNION ALL SELECT body FROM sentiment_short UNION ALL SELECT body FROM sentiment_whole ORDER BY 1",
            "sentiment-en-v2", epochs=2, max_tokens=128, validation_query="SELECT body, label FROM sentiment_sst2", **SHAPE)
    for name, measure in (("sst2", "SST-2 dev"), ("imdb", "IMDb held out")):
        measured("sentiment-en-v2-small", f"SELECT body, label FROM sentiment_{name}", measure)
    names.make(a)
    trained("entities-en-v2-small", "distil_distill", "SELECT body FROM names_train UNION ALL SELECT body FROM english ORDER BY 1", "entities-en-v2",
            epochs=2, max_tokens=96, validation_query="SELECT body, spans FROM names_wiki WHERE id <= 2000", **SHAPE)
    names.measure("entities-en-v2-small")
