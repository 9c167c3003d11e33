"""`python -m deployments.sample`: write the sample consortium, or files for measurements, into a folder."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date
from pathlib import Path

from deployments.sample.accounts.years import write_account_years
from deployments.sample.bench import write_bench_catalogue, write_bench_delivery, write_small_files
from deployments.sample.catalogue import BIBS, write_catalogue
from deployments.sample.night import SAMPLE_NIGHT, write_night
from deployments.sample.patrons import DAYS, patron_fortnight, write_bups2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deployments.sample", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    night = commands.add_parser(
        "night", help="the union catalogue (FOLDER/catalogue), a night (FOLDER/landing), its manifest (night.json)"
    )
    night.add_argument("--on", type=date.fromisoformat, default=SAMPLE_NIGHT, help="date of the night, YYYY-MM-DD")
    night.add_argument("--bibs", type=int, default=BIBS, help=f"bibs in the union catalogue ({BIBS})")
    bench = commands.add_parser("bench", help="FOLDER/catalogue.mrc and a delivery that overlaps it")
    bench.add_argument("--catalogue-bibs", type=int, default=200_000, help="bibs in the union catalogue (200000)")
    bench.add_argument("--bibs", type=int, default=100_000, help="bibs in the delivery (100000)")
    bench.add_argument("--share", type=float, default=0.3, help="share of them that the catalogue has (0.3)")
    bench.add_argument("--format", choices=("iso2709", "marcxml"), default="iso2709", help="format of the delivery")
    small = commands.add_parser("files", help="many small day files of one supplier, to be dropped at once")
    small.add_argument("--files", type=int, default=1_000, help="how many (1000)")
    small.add_argument("--bibs", type=int, default=1, help="bibs in each (1)")
    patrons = commands.add_parser("patrons", help="two weeks of patron files, FOLDER/YYYY-MM-DD/SOURCE")
    patrons.add_argument("--on", type=date.fromisoformat, action="append", help="only this day, YYYY-MM-DD; repeatable")
    persons = commands.add_parser("persons", help="FOLDER/night-1.xml, night-2.xml: the college's format, of any size")
    persons.add_argument("--persons", type=int, default=500_000, help="persons in each (500000)")
    persons.add_argument("--changed", type=float, default=0.01, help="share of them that the second changes (0.01)")
    accounts = commands.add_parser("accounts", help="two years of files about staff accounts, FOLDER/YYYY-MM-DD")
    for command in (night, bench, small, patrons, persons, accounts):
        command.add_argument("folder", type=Path, help="made where missing")
        command.add_argument("--seed", type=int, default=1, help="another seed, another consortium (1)")
    return parser


def _write_night(arguments: argparse.Namespace) -> None:
    for file in write_catalogue(arguments.folder / "catalogue", arguments.seed, arguments.bibs):
        print(f"{file}: union catalogue")
    manifest = arguments.folder / "night.json"
    landing = arguments.folder / "landing" / "incoming"
    for _, file, shows in write_night(landing, arguments.seed, arguments.on, manifest):
        print(f"{file}: {shows}")
    print(f"{manifest}: what ought to become of each record")


def _write_bench(arguments: argparse.Namespace) -> None:
    arguments.folder.mkdir(parents=True, exist_ok=True)
    catalogue = arguments.folder / "catalogue.mrc"
    print(f"{catalogue}: {write_bench_catalogue(catalogue, arguments.catalogue_bibs, arguments.seed)}")
    delivery = arguments.folder / ("delivery.xml" if arguments.format == "marcxml" else "delivery.mrc")
    written = write_bench_delivery(
        delivery, arguments.bibs, arguments.seed, arguments.catalogue_bibs, arguments.share, arguments.format
    )
    print(f"{delivery}: {written}")


def _write_files(arguments: argparse.Namespace) -> None:
    arguments.folder.mkdir(parents=True, exist_ok=True)
    files = write_small_files(arguments.folder, arguments.files, arguments.seed, bibs_a_file=arguments.bibs)
    print(f"{arguments.folder}: {len(files)} files of NORDBOK")


def _write_patrons(arguments: argparse.Namespace) -> None:
    for day in patron_fortnight(arguments.folder, sorted(arguments.on or DAYS), arguments.seed):
        for institution, stock in day.stocks.items():
            print(f"{stock}: users of {institution} before the first night")
        for file in day.files:
            print(f"{file.path}: {file.outcome} {' '.join((*file.findings, *file.held_classes))}".rstrip())
        for note in day.scenes:
            print(f"  {note.scene}: {note.shows} ({note.outcome})")


def _write_persons(arguments: argparse.Namespace) -> None:
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, share in (("night-1.xml", 0.0), ("night-2.xml", arguments.changed)):
        file = arguments.folder / name
        print(f"{file}: {write_bups2(file, arguments.persons, arguments.seed, share)}")


def _write_accounts(arguments: argparse.Namespace) -> None:
    for file in write_account_years(arguments.folder, arguments.seed):
        print(file)


def main() -> None:
    """Parse the command line and write."""
    arguments = _parser().parse_args()
    writers: dict[str, Callable[[argparse.Namespace], None]] = {
        "night": _write_night,
        "bench": _write_bench,
        "files": _write_files,
        "patrons": _write_patrons,
        "persons": _write_persons,
        "accounts": _write_accounts,
    }
    writers[arguments.command](arguments)


if __name__ == "__main__":
    main()
