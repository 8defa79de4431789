"""Plain English text of ../shared/data, as lists of short texts: for vocabularies, word vectors and masked words."""
import gzip, html, lzma, csv, io, re, tarfile


def members(path, wanted):
    """The text files of an archive whose names end in one of `wanted`, as (name, text)."""
    with tarfile.open(path) as tar:
        for m in tar:
            if m.isfile() and m.name.endswith(tuple(wanted)):
                body = tar.extractfile(m).read()
                yield m.name, (gzip.decompress(body) if m.name.endswith(".gz") else body).decode("utf-8", "replace")


def pieces(text, words=60):
    """A long text cut at sentence ends into runs of about so many words."""
    run, n = [], 0
    for sentence in re.split(r"(?<=[.!?;])\s+", text):
        run.append(sentence)
        n += sentence.count(" ") + 1
        if n >= words:
            yield " ".join(run)
            run, n = [], 0
    if n > 3:
        yield " ".join(run)


def wikitext(data):
    out = []
    for part in ("valid", "test"):
        for line in open(data / f"wikitext-2-{part}.txt", encoding="utf-8"):
            line = line.strip()
            if line and not line.startswith("="):
                line = line.replace(" @-@ ", "-").replace(" @,@ ", ",").replace(" @.@ ", ".").replace("<unk>", " ")
                out += pieces(line)
    return out


def reuters(data):
    """Bodies and titles of Reuters-21578, cased as they came."""
    out = []
    for _, body in members(data / "corpora/reuters21578.sgm.tar.xz", [".sgm"]):
        for text in re.findall(r"<BODY>(.*?)</BODY>", body, re.S):
            text = re.sub(r"(?i)\s*reuters?\s*&#3;\s*$", "", text)
            text = " ".join(html.unescape(re.sub(r"&#\d+;", " ", text)).split())
            if text.count(" ") > 8:
                out += pieces(text)
    return out


def ag_news(data):
    out = []
    for _, body in members(data / "more/glue-sst2-agnews.tar.xz", ["agnews/dev.tsv", "agnews/test.tsv"]):
        for line in body.splitlines():
            parts = line.split("\t")
            out.append(html.unescape(max(parts, key=len)).replace("\\", " "))
    return out


def novels(data, megabytes, step=1):
    """Paragraphs of the novels, every step-th book's, so many megabytes of them."""
    out, size = [], 0
    with tarfile.open(data / "corpora/novels100.tar.xz") as tar:
        for i, m in enumerate(m for m in tar if m.isfile()):
            if i % step:
                continue
            text = tar.extractfile(m).read().decode("utf-8", "replace")
            out += [p.replace("\n", " ") for p in text.split("\n\n") if len(p) > 40]
            size += len(text)
            if size > megabytes * 1e6:
                break
    return out


def imdb(data):
    with lzma.open(data / "imdb-train.csv.xz", "rt", encoding="utf-8", newline="") as f:
        return [r["review"].replace("<br />", " ") for r in csv.DictReader(f)]


def captions(data):
    return [line for name, body in members(data / "more/multi30k.tar", ["raw/train.en.gz"]) for line in body.splitlines()]


def tweets(data, parts=("train", "val")):
    """TweetEval's training and validation tweets of all tasks."""
    return [line.strip() for _, body in members(data / "more/tweeteval.tar.gz", [f"{part}_text.txt" for part in parts])
            for line in body.split("\n") if line.strip()]
