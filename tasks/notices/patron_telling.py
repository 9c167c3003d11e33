"""Who is told what of files of persons: each file once, in one transaction with the mark that it has been told.

Rows that were not taken go back to the source, counts to the institution's library, what waits to the operator. No
e-mail holds a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby

from sqlalchemy.engine import Connection

from schemas.outcomes import PlanState
from tasks.landing.zone import LandingZone
from tasks.notices.gathering_holds import held_plans
from tasks.notices.gathering_patrons import (
    TOLD,
    PatronFile,
    files_of_plan,
    patron_digest,
    told_as_held,
    untold_files,
)
from tasks.notices.gathering_read_backs import untaken_read_backs
from tasks.notices.holds import NO_PAGES, Pages, compose_held
from tasks.notices.patron_digest import compose_patron_digest
from tasks.notices.patron_holds import compose_held_file
from tasks.notices.patron_lists import FiledLists, file_lists
from tasks.notices.patron_rejects import FileNotTaken, FileRows, PatronRejects, compose_patron_rejects
from tasks.notices.telling import NOTICES_LOCK, Teller, key_of, tell_of_holds
from tasks.plans.store import decisions, resolve
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ledger import note_done, stages_done


def tell_of_patron_files(
    warehouse: Warehouse,
    landing: LandingZone,
    teller: Teller,
    deliveries: Collection[int],
    pages: Pages = NO_PAGES,
) -> Counter[str]:
    """Tell of files of persons that are settled, rejected or held, and were not told of yet.

    The operator and the sender hear of a file that waits as a whole, the operator of classes of change that wait, the
    sender of rows and files that were not taken, the institution's library what has become of its persons. What a
    killed run of the same sources left untold comes along. Returns counts of messages by kind.
    """
    with warehouse.read() as connection:
        files = untold_files(connection, deliveries)
    filed = file_lists(warehouse, landing, teller.register, files)
    counts: Counter[str] = Counter()
    if files:
        with warehouse.write(NOTICES_LOCK) as connection:
            told = stages_done(connection, [each.delivery_id for each in files], TOLD)
            left = [each for each in files if each.delivery_id not in told]
            for sender, batch in groupby(left, key=lambda each: each.sender):
                counts += _tell_of_source(connection, teller, sender, list(batch), filed)
            note_done(connection, [each.delivery_id for each in left], TOLD, teller.clock())
    everything = {*deliveries, *(each.delivery_id for each in files)}
    return counts + tell_of_holds(warehouse, teller, sorted(everything), pages)


def tell_of_read_backs(warehouse: Warehouse, teller: Teller, institution: str) -> Counter[str]:
    """Tell the operator and the library of read-backs that were not used, each once. Returns counts by kind."""
    with warehouse.write() as connection:
        found = untaken_read_backs(connection, teller.register, teller.zone, institution)
        messages = (compose_held_file(each, teller.catalogue_name, teller.sender) for each in found)
        return teller.queue(connection, messages)


def tell_of_held_plans(warehouse: Warehouse, teller: Teller, pages: Pages = NO_PAGES) -> Counter[str]:
    """Tell the operator of plans about persons that wait and come from no file; each once. Returns counts by kind."""
    with warehouse.write() as connection:
        found = held_plans(connection, teller.register)
        messages = (compose_held(each, teller.catalogue_name, teller.sender, pages) for each in found)
        return teller.queue(connection, messages)


def tell_of_patron_plan(warehouse: Warehouse, teller: Teller, plan_hash: str) -> Counter[str]:
    """Tell the library what was done once a person had approved it; once for each set of classes that was carried out.

    At least 8 characters of the plan's hash. Returns counts of messages by kind.
    """
    counts: Counter[str] = Counter()
    with warehouse.write(NOTICES_LOCK) as connection:
        full_hash = resolve(connection, plan_hash)
        done = [name for name, state in decisions(connection, full_hash).items() if state is PlanState.APPLIED]
        for sender, batch in groupby(files_of_plan(connection, full_hash), key=lambda each: each.sender):
            source = teller.register.patron_source_by_code.get(sender)
            if source is None:
                continue
            files = list(batch)
            run_key = key_of([full_hash, *done, *(each.identity for each in files)])
            digest = patron_digest(connection, teller.register, source, files, run_key, plan_hash=full_hash)
            message = compose_patron_digest(digest, teller.catalogue_name, teller.sender)
            counts += teller.queue(connection, [message], **_about(files))
    return counts


def _tell_of_source(
    connection: Connection,
    teller: Teller,
    sender: str,
    files: Sequence[PatronFile],
    filed: Mapping[int, FiledLists],
) -> Counter[str]:
    """Queue the digest to the library and the rejects to the source. Of a source that is gone nobody is told."""
    source = teller.register.patron_source_by_code.get(sender)
    if source is None:
        return Counter()
    run_key = key_of(each.identity for each in files)
    rejected = [each for each in files if each.is_rejected]
    known = told_as_held(connection, rejected)
    rejects = PatronRejects(
        source_code=source.code,
        source_name=source.name,
        recipient=source.contact,
        language=source.language,
        run_key=run_key,
        run_date=teller.today,
        rows=tuple(
            FileRows(each.name, each.rows_read, each.rejected, each.quarantined, filed[each.delivery_id].errors)
            for each in files
            if filed.get(each.delivery_id, FiledLists()).errors
        ),
        files=tuple(
            FileNotTaken(each.name, each.business_date, each.reason)
            for each in rejected
            if each.delivery_id not in known
        ),
    )
    settled = [each for each in files if not each.is_rejected]
    lists = [filed[each.delivery_id] for each in settled if each.delivery_id in filed]
    digest = patron_digest(
        connection,
        teller.register,
        source,
        settled,
        run_key,
        lists=[each.errors for each in lists if each.errors],
        reviews=[each.reviews for each in lists if each.reviews],
    )
    messages = (
        compose_patron_rejects(rejects, teller.catalogue_name, teller.sender),
        compose_patron_digest(digest, teller.catalogue_name, teller.sender),
    )
    return teller.queue(connection, messages, **_about(files))


def _about(files: Sequence[PatronFile]) -> dict[str, int]:
    return {"delivery_id": files[0].delivery_id} if len(files) == 1 else {}
