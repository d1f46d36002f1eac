"""soup.json: random tag soup -> its sort text, by ref_text.py. The same on every run."""

from __future__ import annotations

import json
import random
from pathlib import Path

import ref_text

PIECES = [
    "<", "<", ">", ">", '"', "'", "=", "/", " ", " ", "\n", "\t", "a", "x", "ä", "ſ", "S", "_", "-", "&", ";",
    "&amp;", "&lt;", "&#65;", "&#x41;", "&#X41;", "&nbsp;", "\u00a0", "&bogus;", "&#0;", "&#1114112;", "&#xD800;", "&apos;",
    "&#;", "&#x;", "&#00000000000000000065;", "&Mu;", "&thetasym;",
    "<img", "<IMG", "<Img ", "<audio ", "<video ", "<object ", "<source ", "<ſource ", "<imgs", "<img\u0301", "<img\u24b6",
    "<img-", "<img\u200d ", "<img\u20ac", "<img>", "src=", "SRC=", "ſrc=", "data=", "Data=", "data-src=", "xsrc=", "src =",
    'src="', "src='", 'src="a.jpg"', "src='b c.png'", "src=d.mp3", " src=", 'alt="', "'a > b'", '"a > b"',
    "<!--", "-->", "<!-->", "<style", "<styled>", "</style>", "<ſtyle>", "</STYLE>", "</ſtyle>", "<script", "<script>",
    "</script>", "</script >", "<b>", "</b>", "<br>", "<>",
]
MEDIA = [p for p in PIECES if p in (" ", ">", "a", "ä", "ſ", "_", "-") or any(c in p for c in "<='\"")]
QUOTES = ["<img ", " src=", "data=", '"', "'", ">", "a", " ", "b>", "<"]


def main() -> None:
    r = random.Random(2026)
    cases: dict[str, str] = {}
    while len(cases) < 2000:
        pieces = r.choice((PIECES, MEDIA, MEDIA, QUOTES))
        text = "".join(r.choice(pieces) for _ in range(r.randint(2, r.choice((6, 12, 30)))))
        cases[text] = ref_text.stripped(text)
    lines = ",\n".join(json.dumps([k, v], ensure_ascii=True) for k, v in cases.items())
    Path(__file__).with_name("soup.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
