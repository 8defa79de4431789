"""The small models that ship for larger ones that stay here: half of the teacher's layers, and the tokens of its own kind of texts."""
from steps import trained, trimmed

TOKENS = 6500


def small(name, teacher, texts, query, **options):
    """name learns from the teacher and from the labels of the query; texts is a query of what people will give it."""
    trimmed(f"{teacher}-cut", teacher, texts, TOKENS)
    trained(name, "distil_distill", query, f"{teacher}-cut", layers=3, batch_size=32, **options)
