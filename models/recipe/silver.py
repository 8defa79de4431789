"""Names in natural sentences that nobody annotated: news, encyclopedia, reviews, tweets, comments.

WikiANN's lists and headings have a name in every line, and a model that knows nothing else finds names in each sentence.  So a
model trained on the annotated sets says what it finds in natural sentences, and what it says is made consistent: a name
has a capital, ends where its capitals end, and is what the corpus as a whole takes it for (one sense per name, as in Gale,
Church, Yarowsky 1992, "One Sense Per Discourse").  Tickers that Reuters writes behind a company's name are left out; GoEmotions has
[NAME] where a person was named."""
import collections, random, re

import corpora, emotions, english, sources

SEED = 47
TICKER = re.compile(r" ?<[A-Z.&;/ -]{1,12}>|[<>]")
COMPANY = re.compile(r"(?:[A-Z][\w&'.-]*,? (?:and |& )?){1,5}?(?:Inc|Corp|Co|Ltd|PLC|Plc|SA|AG|NV|plc|Bancorp|Bancorporation|Industries|Airlines|Association)\b\.?(?: Ltd)?")
INNER = {"of", "the", "and", "for", "de", "la", "le", "du", "des", "der", "den", "van", "von", "di", "da", "del", "al", "bin", "'s", "&", "-", "in", "on", "at"}
NAME = "[NAME]"
PLACES = {name.strip(): "LOC" for name in """Afghanistan, Africa, Alabama, Alaska, Albania, Algeria, America, Angola, Argentina, Arizona, Arkansas, Asia, Australia,
    Austria, Bahrain, Bangladesh, Belgium, Bolivia, Brazil, Britain, Bulgaria, California, Canada, Chad, Chile, China, Colombia, Colorado, Congo, Connecticut,
    Costa Rica, Cuba, Cyprus, Czechoslovakia, Delaware, Denmark, Ecuador, Egypt, England, Ethiopia, Europe, Finland, Florida, France, Germany, Ghana, Greece,
    Guatemala, Haiti, Hawaii, Honduras, Hong Kong, Hungary, Iceland, Idaho, Illinois, India, Indiana, Indonesia, Iowa, Iran, Iraq, Ireland, Israel, Italy,
    Ivory Coast, Jamaica, Japan, Jordan, Kansas, Kentucky, Kenya, Kuwait, Latin America, Lebanon, Libya, London, Los Angeles, Louisiana, Luxembourg, Maine,
    Malaysia, Mali, Maryland, Massachusetts, Mexico, Michigan, Minnesota, Mississippi, Missouri, Montana, Morocco, Moscow, Mozambique, Nebraska, Nepal,
    Netherlands, Nevada, New Hampshire, New Jersey, New Mexico, New York, New Zealand, Nicaragua, Nigeria, North Carolina, North Dakota, North Korea, Norway,
    Ohio, Oklahoma, Oman, Oregon, Pakistan, Panama, Paraguay, Paris, Pennsylvania, Peru, Philippines, Poland, Portugal, Qatar, Rhode Island, Romania, Russia,
    Saudi Arabia, Scotland, Senegal, Singapore, Somalia, South Africa, South Carolina, South Dakota, South Korea, Soviet Union, Spain, Sri Lanka, Sudan, Sweden,
    Switzerland, Syria, Taiwan, Tennessee, Texas, Thailand, Tokyo, Tunisia, Turkey, U.K., U.S., U.S.S.R., UK, USA, Uganda, Ukraine, United Arab Emirates,
    United Kingdom, United States, Uruguay, Utah, Venezuela, Vermont, Vietnam, Virginia, Wales, Washington, West Germany, West Virginia, Wisconsin, Wyoming,
    Yemen, Yugoslavia, Zambia, Zimbabwe""".split(",")}
# of a nation or a faith: CoNLL's MISC
PEOPLES = {name.strip(): "MISC" for name in """Afghan, African, Albanian, Algerian, American, Americans, Arab, Arabs, Argentine, Asian, Australian, Austrian, Belgian,
    Bolivian, Brazilian, Brazilians, British, Bulgarian, Canadian, Canadians, Catholic, Chilean, Chinese, Christian, Christians, Colombian, Cuban, Czech, Danish,
    Democrat, Democrats, Dutch, Ecuadorean, Egyptian, English, European, Europeans, Finnish, French, German, Germans, Greek, Hungarian, Icelandic, Indian, Indians,
    Indonesian, Iranian, Iraqi, Irish, Islamic, Israeli, Israelis, Italian, Italians, Japanese, Jew, Jewish, Jews, Jordanian, Kenyan, Korean, Kurdish, Kuwaiti,
    Latin American, Lebanese, Libyan, Malaysian, Mexican, Moroccan, Moslem, Muslim, Muslims, New Zealander, Nigerian, North Korean, Norwegian, Pakistani,
    Palestinian, Palestinians, Peruvian, Polish, Portuguese, Republican, Republicans, Romanian, Russian, Russians, Saudi, Scottish, Serb, Serbian, Singaporean,
    South African, South Korean, Soviet, Soviets, Spanish, Swedish, Swiss, Syrian, Taiwanese, Thai, Turkish, Ukrainian, Vietnamese, Welsh, West German,
    Yugoslav""".split(",")}


def sentence(text):
    """Short enough, with words in it."""
    return 3 < text.count(" ") < 45 and sum(c.islower() for c in text) > len(text) / 2


def split(texts):
    return [" ".join(s.split()) for t in texts for s in re.split(r"(?<=[a-z\d\")]{2}[.!?])\s+(?=[A-Z\"])", t) if sentence(s)]


def plain(data):
    """The natural sentences, in random order."""
    rng = random.Random(SEED)
    some = lambda rows, n: rng.sample(rows, min(n, len(rows)))
    rows = some(split(TICKER.sub("", t) for t in corpora.reuters(data)), 14000) + some(split(corpora.wikitext(data)), 7000)
    rows += some(split(t.replace("<br />", " ") for t, _ in sources.imdb(data)[0][:6000]), 4000)
    rows += some(split(corpora.novels(data, 12, step=5)), 2500) + some([t for t in english.tweets(data) if sentence(t)], 7000)
    rng.shuffle(rows)
    return rows


def comments(data, people, n=5000):
    """(text, spans): GoEmotions' comments, each [NAME] a person of the annotated sets."""
    rng, out = random.Random(SEED + 1), []
    rows = [text for text, _ in emotions.read(data, "train") if NAME in text and "[RELIGION]" not in text]
    for text in rng.sample(rows, min(n, len(rows))):
        new, spans = "", []
        parts = text.split(NAME)
        for i, part in enumerate(parts):
            new += part
            if i + 1 < len(parts):
                name = rng.choice(people)
                name = name[0] if rng.random() < 0.5 else " ".join(name)
                new = new + " " if new and new[-1].isalnum() else new
                spans.append({"start": len(new), "end": len(new) + len(name), "label": "PER"})
                new += name
                if parts[i + 1][:1].isalnum():
                    new += " "
        out.append((new, spans))
    return out


def words_of(text):
    return [(m.start(), m.end()) for m in re.finditer(r"\w+(?:[.'’-]\w+)*\.?(?=\W|$)|[^\w\s]", text)]


def trimmed(text, start, end):
    """The span without words at either end that have no capital; None if nothing is left."""
    inside = [(a, b) for a, b in words_of(text) if a >= start and b <= end + 1]
    capital = lambda a, b: text[a].isupper() or (text[a].isdigit() and b - a < 5) or (b - a > 1 and text[a:b] != text[a:b].lower())
    while inside and not (capital(*inside[0]) and not text[inside[0][0]].isdigit()):
        inside.pop(0)
    while inside and not capital(*inside[-1]):
        inside.pop()
    if not inside:
        return None
    # a run of small words that no name has inside ends it
    for i, (a, b) in enumerate(inside):
        if text[a:b].islower() and text[a:b] not in INNER:
            inside = inside[:i]
            break
    return (inside[0][0], min(inside[-1][1], end)) if inside else None


def consistent(texts, said, known):
    """texts: {id: text}; said: (id, label, start, end, score) of the model; known: {name: Counter of labels} of the annotated
    sets.  Returns [(text, spans)]; a name that the corpus takes for several things is what the model says there."""
    spans, votes = collections.defaultdict(list), collections.defaultdict(collections.Counter)
    for i, label, start, end, score in said:
        cut = trimmed(texts[i], start, end)
        if cut:
            spans[i].append((*cut, label, score))
            votes[texts[i][cut[0]:cut[1]]][label] += score
    for name, counts in known.items():
        for label, n in counts.items():
            votes[name][label] += 2 * n
    for name, label in (PLACES | PEOPLES).items():
        votes[name] = collections.Counter({label: 1})
    low = collections.Counter(w for t in texts.values() for w in re.findall(r"(?<=[a-z,] )[a-z]+", t))
    out = []
    for i, text in texts.items():
        companies = [(m.start(), m.end(), "ORG", 1.0) for m in COMPANY.finditer(text)]
        marks = companies + [m for m in spans[i] if not any(m[0] < b and a < m[1] for a, b, *_ in companies)]
        kept = []
        for a, b, label, score in sorted(marks):
            name = text[a:b]
            if kept and a < kept[-1]["end"]:
                continue
            if " " not in name and name[1:].islower() and low[name.lower()] > 20 and score < 0.95:
                continue            # a common word that begins a sentence
            count = votes[name]
            best, n = count.most_common(1)[0] if count else (label, 1)
            if score < 1 and count and n / sum(count.values()) >= 0.6:
                label = best
            elif score < 0.5:
                continue
            kept.append({"start": a, "end": b, "label": label})
        out.append((text, kept))
    return out
