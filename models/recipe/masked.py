"""fill-mask-en: what minilm-en reads so that it says which words are masked; the base to fine-tune, measured on Banking77."""
import banking, corpora, english, reading, sources
from steps import measured, prepared, trained


def texts(data):
    """The two readings of fill-mask-en-v1 without what measures other models: AG News, held-out reviews, TweetEval's validation tweets."""
    tweets = [text.replace("@user", "") for text in corpora.tweets(data, ["val"])]
    reviews = [t.replace("<br />", " ") for t, _ in sources.imdb(data)[1]]
    no = {sources.letters(t) for t in corpora.ag_news(data) + reading.cut(reviews) + tweets}
    return [t for t in reading.texts(data) + reading.more(data) if sources.letters(t) not in no]


def make(a):
    english.base(a)
    prepared("masked_read", "body text", lambda: [(t,) for t in texts(a.data)])
    trained("fill-mask-en", "distil_pretrain", "SELECT body FROM masked_read ORDER BY id", "minilm-en", epochs=1, learning_rate=3e-4,
            batch_size=64, max_tokens=96, mask_share=0.2, dropout=0, validation=0.003)
    train, held = banking.split(a.data)
    prepared("banking_plain", "body text, intent text", lambda: train)
    prepared("banking_held", "body text, intent text", lambda: held)
    trained("banking-plain", "distil_train", "SELECT body, intent FROM banking_plain ORDER BY id", "fill-mask-en", epochs=6,
            validation_query="SELECT body, intent FROM banking_held")
    measured("banking-plain", "SELECT body, intent FROM banking_held", "Banking77 held out")
