"""Libraries are told of merges and splits of bibs, in the transaction that does them.

So a run that is killed before its commit has merged nothing and told nobody, and done again does both; after it
neither happens a second time. A dry run, which is rolled back, tells nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from sqlalchemy.engine import Connection

from tasks.catalogue.splitting import Split
from tasks.notices.gathering_merges import merge_news, split_news
from tasks.notices.merged_titles import compose_merge_news
from tasks.notices.telling import Teller


def tell_of_merges(connection: Connection, teller: Teller, merges: Collection[int]) -> Counter[str]:
    """Queue a digest to each library that the merges of a run moved or joined a holding of. Counts by kind."""
    news = merge_news(connection, teller.register, merges, teller.today)
    return teller.queue(connection, (compose_merge_news(each, teller.catalogue_name, teller.sender) for each in news))


def tell_of_splits(
    connection: Connection, teller: Teller, splits: Sequence[Split], *, is_undone: bool = False
) -> Counter[str]:
    """Queue a correction to each library that the splits of a run concern. Counts by kind."""
    news = split_news(connection, teller.register, splits, teller.today, is_undone=is_undone)
    return teller.queue(connection, (compose_merge_news(each, teller.catalogue_name, teller.sender) for each in news))
