"""Cut prompts: how often a cut is seen, and how often a whole prompt is taken for a cut one.

    python -m relabel_assets_tests.benchmarks.cut_prompts
        [--prompts 60] [--tokenizer FILE ...]

The prompts are those of the teacher, about the demo corpora, 16 languages, code, logs, numbers, tables
and base64, of every length up to teacher.max_document_tokens. Their tokens are counted by each
`tokenizer.json` that is named, and by tiktoken's encodings if the package is installed and finds their
files (TIKTOKEN_CACHE_DIR). Without a name, the tokenizer of the embedded student counts. It makes one
unknown token of many Thai words, which no large model's does.

The rival is the comparison that comes to mind first: a cut, if the endpoint counts less than
three quarters of bytes / 4. The servers that cut keep as many tokens as the context has (Ollama until
2025), or half of it and two (Ollama since 2026).
"""

import argparse
import base64
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.prompts.teacher_prompts import grading_prompt
from relabel_assets.student.base import EMBEDDED, base_path
from relabel_assets.teacher.cut_prompts import why_cut
from relabel_assets.teacher.grading.grading import grading_messages
from relabel_assets.teacher.requests import estimate_tokens

ROOT = Path(__file__).parents[2]
CONTEXTS = (2048, 4096)
RIVAL_SHARE = 0.75
LANGUAGES = {
    "German": "Urlaub wird spätestens zwei Wochen vorher im Personalportal beantragt. Die Vorgesetzte "
    "genehmigt ihn innerhalb von drei Arbeitstagen, sofern keine betrieblichen Gründe dagegen sprechen.",
    "French": "Les congés se demandent au moins deux semaines à l'avance sur le portail du personnel. "
    "Le responsable les approuve sous trois jours ouvrés, sauf si l'activité du service s'y oppose.",
    "Spanish": "Las vacaciones se solicitan con dos semanas de antelación en el portal de personal. El "
    "responsable las aprueba en tres días laborables, salvo que el servicio no lo permita.",
    "Finnish": "Loma haetaan henkilöstöportaalissa viimeistään kaksi viikkoa ennen sen alkamista. Esihenkilö "
    "hyväksyy sen kolmen arkipäivän kuluessa, ellei työtilanne sitä estä.",
    "Polish": "Wniosek o urlop składa się w portalu pracowniczym co najmniej dwa tygodnie wcześniej. "
    "Przełożony zatwierdza go w ciągu trzech dni roboczych, chyba że nie pozwala na to praca działu.",
    "Turkish": "İzin, başlangıcından en az iki hafta önce personel portalından istenir. Yönetici, işin "
    "durumu engellemiyorsa izni üç iş günü içinde onaylar.",
    "Vietnamese": "Nhân viên xin nghỉ phép trên cổng nhân sự ít nhất hai tuần trước ngày nghỉ. Quản lý "
    "duyệt đơn trong ba ngày làm việc, trừ khi công việc của phòng không cho phép.",
    "Russian": "Отпуск оформляется на портале для сотрудников не позднее чем за две недели. Руководитель "
    "согласует его в течение трёх рабочих дней, если этому не мешает работа отдела.",
    "Greek": "Η άδεια ζητείται στην πύλη προσωπικού τουλάχιστον δύο εβδομάδες νωρίτερα. Ο προϊστάμενος την "
    "εγκρίνει μέσα σε τρεις εργάσιμες ημέρες, εκτός αν το εμποδίζει η εργασία.",
    "Arabic": "تُطلب الإجازة في بوابة الموظفين قبل أسبوعين على الأقل. يوافق المدير عليها خلال ثلاثة أيام "
    "عمل ما لم تمنع ذلك حاجة القسم.",
    "Hebrew": "בקשת חופשה מוגשת בפורטל העובדים לפחות שבועיים מראש. המנהל מאשר אותה בתוך שלושה ימי עבודה, "
    "אלא אם צורכי המחלקה אינם מאפשרים זאת.",
    "Hindi": "अवकाश के लिए कम से कम दो सप्ताह पहले कर्मचारी पोर्टल पर आवेदन करें। यदि काम में बाधा न हो तो "
    "प्रबंधक तीन कार्य दिवसों के भीतर उसे स्वीकृत करता है।",
    "Thai": "ขอลาพักร้อนในพอร์ทัลพนักงานล่วงหน้าอย่างน้อยสองสัปดาห์ หัวหน้าจะอนุมัติภายในสามวันทำการ "
    "เว้นแต่งานของแผนกไม่อนุญาต",
    "Chinese": "员工应至少提前两周在人事门户提交休假申请。如无工作安排上的冲突，主管应在三个工作日内批准。",
    "Japanese": "休暇は遅くとも二週間前までに社員ポータルで申請してください。業務に支障がなければ、上司が"
    "三営業日以内に承認します。",
    "Korean": "휴가는 늦어도 이 주 전에 직원 포털에서 신청합니다. 업무에 지장이 없으면 관리자가 삼 일 안에 "
    "승인합니다.",
}


def texts(draw: random.Random) -> dict[str, str]:
    """Long texts by kind, each of more bytes than the longest document in a prompt."""
    found = {}
    for file in sorted((ROOT / "data").glob("*/documents.jsonl")):
        bodies = [json.loads(line)["body"] for line in file.read_text("utf-8").splitlines()]
        found[file.parent.name] = "\n\n".join(bodies)
    found |= {name: (text + "\n") * 200 for name, text in LANGUAGES.items()}
    found["Python"] = Path(json.__file__).with_name("decoder.py").read_text("utf-8") * 4
    found["CSV of numbers"] = "\n".join(
        ",".join(f"{draw.uniform(0, 1000):.2f}" for _ in range(8)) for _ in range(900)
    )
    found["log"] = "\n".join(
        f"2026-11-{draw.randrange(1, 28):02} 10:{draw.randrange(60):02}:07,{draw.randrange(1000):03} INFO "
        f"[worker-{draw.randrange(9)}] shop.OrderService - order {draw.randrange(10**8)} took "
        f"{draw.randrange(900)} ms"
        for _ in range(500)
    )
    found["table"] = "\n".join(
        "| "
        + " | ".join(draw.choice(("open", "n/a", "12", "Berlin")).ljust(24) for _ in range(5))
        + " |"
        for _ in range(400)
    )
    found["base64"] = base64.encodebytes(draw.randbytes(30_000)).decode()
    found["hexadecimal"] = draw.randbytes(20_000).hex(" ", 8)
    found["one letter"] = "a" * 40_000
    return found


def prompts(text: str, n: int, draw: random.Random) -> Iterator[dict[str, Any]]:
    """The bodies of `n` grading requests about parts of `text`."""
    for _ in range(n):
        length, start = draw.randrange(200, 12_000), draw.randrange(len(text) // 4)
        part = text.encode()[start : start + length].decode("utf-8", "ignore")
        pair = {"text": "how many days of leave are left", "title": "Document", "body": part}
        yield {"messages": grading_messages(pair, grading_prompt(), default_rubric(), 3000)}


def tokenizers(files: list[Path]) -> dict[str, Callable[[str], int]]:
    """The functions that count tokens, by name."""
    from tokenizers import Tokenizer

    counters: dict[str, Callable[[str], int]] = {}
    for file in files or [Path(base_path(EMBEDDED)) / "tokenizer.json"]:
        tokenizer = Tokenizer.from_file(str(file))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        encode = partial(tokenizer.encode, add_special_tokens=False)
        counters[f"{file.parent.name}/{file.name}"] = partial(_length, encode)
    try:
        import tiktoken

        for name in ("o200k_base", "cl100k_base"):
            encode = tiktoken.get_encoding(name).encode_ordinary
            counters[name] = partial(_length, encode)
    except (ImportError, OSError) as error:
        print(f"without tiktoken's encodings: {error}")
    return counters


def _length(encode: Callable[[str], Sized], text: str) -> int:
    return len(encode(text))


@dataclass(frozen=True)
class Server:
    """What a server does with a prompt that is longer than its context."""

    name: str
    context: int | None
    kept: int = 0

    def counts(self, n_tokens: int) -> int:
        """The count in its usage for a prompt of `n_tokens`."""
        return n_tokens if self.context is None or n_tokens <= self.context else self.kept


SERVERS = (
    Server("reads all", None),
    *(Server(f"keeps {n:,} of more", n, n) for n in CONTEXTS),
    *(Server(f"keeps {n // 2 + 2:,} of more than {n:,}", n, n // 2 + 2) for n in CONTEXTS),
)


def rival(body: dict[str, Any], n_counted: int) -> bool:
    estimated = sum(estimate_tokens(message["content"]) for message in body["messages"])
    return n_counted < RIVAL_SHARE * estimated


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=60, help="of each kind of text")
    parser.add_argument("--tokenizer", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    draw = random.Random(13)
    bodies = [
        (kind, body)
        for kind, text in texts(draw).items()
        for body in prompts(text, arguments.prompts, draw)
    ]
    draw.shuffle(bodies)
    n: Counter[tuple[str, bool]] = Counter()  # prompts by server and whether they were cut
    wrong: Counter[tuple[str, str, bool]] = Counter()  # by rule, server and whether they were cut
    lost: defaultdict[str, list[float]] = defaultdict(
        list
    )  # share of each prompt whose cut was missed
    wrong_kinds: Counter[tuple[str, str, str]] = Counter()
    counters = tokenizers(arguments.tokenizer)
    for tokenizer, count in counters.items():
        counts = [
            sum(count(message["content"]) for message in body["messages"]) for _, body in bodies
        ]
        for server in SERVERS:
            largest = 0
            for (kind, body), n_tokens in zip(bodies, counts, strict=True):
                counted = server.counts(n_tokens)
                largest = max(largest, counted)
                is_cut = counted < n_tokens
                n[server.name, is_cut] += 1
                seen = why_cut(body, {"usage": {"prompt_tokens": counted}}, largest) is not None
                wrong["fewest tokens", server.name, is_cut] += seen != is_cut
                wrong["bytes / 4", server.name, is_cut] += rival(body, counted) != is_cut
                if seen != is_cut:
                    what = "missed" if is_cut else "false alarm"
                    wrong_kinds[what, kind, tokenizer] += 1
                if is_cut and not seen:
                    lost[server.name].append(1 - counted / n_tokens)
    print(f"{len(bodies):,} prompts x {len(counters)} tokenizers: {', '.join(counters)}")
    print(
        f"{'server':34} {'cut':>7}  {'missed':>15} {'bytes / 4':>9}  {'false alarms':>15} {'bytes / 4':>9}"
    )
    for server in SERVERS:
        cells = []
        for is_cut in (True, False):
            total = n[server.name, is_cut]
            for rule in ("fewest tokens", "bytes / 4"):
                cells.append(f"{wrong[rule, server.name, is_cut]:,}" if total else "-")
        print(
            f"{server.name:34} {n[server.name, True]:>7,}  {cells[0]:>15} {cells[1]:>9}  "
            f"{cells[2]:>15} {cells[3]:>9}"
        )
        if lost[server.name]:
            shares = sorted(lost[server.name])
            print(
                f"{'':34} lost of a missed prompt: median {shares[len(shares) // 2]:.0%}, "
                f"most {shares[-1]:.0%}"
            )
    for (what, kind, tokenizer), times in sorted(wrong_kinds.items(), key=lambda item: -item[1])[
        :15
    ]:
        print(f"{what}: {times:,} x {kind}, {tokenizer}")


if __name__ == "__main__":
    main()
