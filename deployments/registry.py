"""What is deployed: every flow once, with its schedule, owner, limit and page. The one source of it.

deployments/prefect.yaml is generated from here (`python -m deployments.prefect_file`), `samkat deployments apply` and
`samkat serve` put it on a Prefect server. A flow without an entry fails the tests. Nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

POOL = "samkat"
"""The work pool whose workers run everything."""
HEARTBEAT_SECONDS = 30
"""How often a run says that it lives: PREFECT_FLOWS_HEARTBEAT_FREQUENCY of every process that runs flows."""
CLIENT_RETRIES = 7
"""PREFECT_CLIENT_MAX_RETRIES of runs on a worker: their requests wait 2, 4, ... 128 s, four minutes, for its server."""
RETRIED_ANSWERS = "500,504"
"""PREFECT_CLIENT_RETRY_EXTRA_CODES of runs on a worker: as 502 and 503, what a server gives that comes back."""
COLLISION_STRATEGY = "ENQUEUE"
"""A run over the limit waits. CANCEL_NEW can wedge on a run that is stuck Pending."""

Owner = Literal["operator", "cataloguer"]
"""Who answers for it, as the runbook has them."""


@dataclass(frozen=True)
class Deployed:
    """A flow as it is deployed. Its deployment bears the flow's own name."""

    name: str
    description: str
    owner: Owner
    limit: int
    """Runs at a time; more wait."""
    tags: tuple[str, ...] = ()
    cron: str | None = None
    """In the consortium's time zone; None: it is started by events, people or other flows."""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def module(self) -> str:
        """Name of the module in flows/, and of the function in it."""
        return self.name.replace("-", "_")

    @property
    def entrypoint(self) -> str:
        """Where the flow is, from the project's root."""
        return f"flows/{self.module}.py:{self.module}"

    @property
    def full_name(self) -> str:
        """As Prefect knows the deployment: flow/deployment."""
        return f"{self.name}/{self.name}"

    @property
    def docs(self) -> str:
        """Its page, from the project's root."""
        return f"docs/flows.md#{self.name}"

    @property
    def all_tags(self) -> list[str]:
        """Its tags; `samkat` is on everything, and says what `samkat deployments apply` may take away."""
        return [POOL, *self.tags]

    @property
    def shown_description(self) -> str:
        """What the page of the deployment in the UI says."""
        return f"{self.description}\n\nOwner: {self.owner}. Documentation: {self.docs}"


DEPLOYED: tuple[Deployed, ...] = (
    Deployed(
        "supplier-ingest",
        "A supplier's waiting deliveries become holdings on the libraries' shelves. Started by a file that is dropped, "
        "and by the sweep; with no files it takes up what an earlier run left.",
        owner="operator",
        limit=4,
        tags=("suppliers",),
    ),
    Deployed(
        "supplier-trial",
        "The files of a supplier in the sandbox are tried: nothing is loaded, and the supplier gets a report. Started "
        "by a file that is dropped, and by the sweep.",
        owner="operator",
        limit=2,
        tags=("suppliers",),
    ),
    Deployed(
        "supplier-customers",
        "Lists of customers that suppliers drop are taken in; once a week customers, register and holdings are "
        "compared, and the consortium is told of what does not agree.",
        owner="operator",
        limit=1,
        tags=("suppliers",),
        cron="40 6 * * 1",
    ),
    Deployed(
        "landing-sweep",
        "What waits in the landing zone and was missed by events gets its run, one a supplier, oldest first. With "
        "`days` older files are left alone; strays go to quarantine and are reported.",
        owner="operator",
        limit=1,
        tags=("suppliers",),
        cron="*/5 * * * *",
    ),
    Deployed(
        "catalogue-load",
        "An export of the union catalogue is taken in as it is. What a full one lacks waits for approval.",
        owner="operator",
        limit=1,
        tags=("catalogue",),
    ),
    Deployed(
        "patron-sync",
        "The waiting files of a patron source are merged into what staff and other sources have written. Started by a "
        "file that is dropped, and by the sweep; with no files it takes up what an earlier run left.",
        owner="operator",
        limit=2,
        tags=("patrons",),
    ),
    Deployed(
        "patron-update",
        "Reports the instant updates of persons since its last run, puts what is held into a plan, and carries out "
        "what had to wait when it came.",
        owner="operator",
        limit=1,
        tags=("patrons",),
        cron="* * * * *",
    ),
    Deployed(
        "patron-retention",
        "Persons are erased whose time has come, as far as the guards let it; old files of persons are shredded, and "
        "earlier values forgotten.",
        owner="operator",
        limit=1,
        tags=("nightly", "patrons"),
        cron="45 3 * * *",
    ),
    Deployed(
        "account-import",
        "A sender's waiting files about staff accounts are taken in: requests, changes, leavers, training, answers, "
        "downloads. Started by a file that is dropped, and by the sweep.",
        owner="operator",
        limit=2,
        tags=("accounts",),
    ),
    Deployed(
        "account-sweep",
        "Staff accounts expire, are deactivated and made valid again by their dates and rules; libraries are told, the "
        "systems get what changed. Missed nights are caught up.",
        owner="operator",
        limit=1,
        tags=("nightly", "accounts"),
        # After midnight in every zone of the register, before people come to work.
        cron="30 3 * * *",
    ),
    Deployed(
        "account-renewal",
        "The yearly renewal of accounts: lists to library managers, reminders, what nobody answered, the outcome. "
        "Looks every day whether something is due.",
        owner="operator",
        limit=1,
        tags=("accounts",),
        cron="0 7 * * *",
    ),
    Deployed(
        "shared-account-rotation",
        "The yearly new password of shared accounts: announced, reminded of, overdue ones listed. Looks every day "
        "whether something is due.",
        owner="operator",
        limit=1,
        tags=("accounts",),
        cron="10 7 * * *",
    ),
    Deployed(
        "shared-account-retirement",
        "The end of shared logins in a system: announced with their lists, switched off on the day. Looks every day "
        "whether something is due.",
        owner="operator",
        limit=1,
        tags=("accounts",),
        cron="20 7 * * *",
    ),
    Deployed(
        "decide",
        "The form: shows held plans and open reviews, asks a person, and carries out what is decided. Start it, then "
        "Resume on the run's page opens the form; after an hour without an answer the run ends.",
        owner="operator",
        limit=4,
        tags=("decisions",),
    ),
    Deployed(
        "review-decide",
        "Cataloguers' decisions on bibs in review are carried out.",
        owner="cataloguer",
        limit=4,
        tags=("decisions",),
    ),
    Deployed(
        "review-deadline",
        "Bibs that nobody has decided in time are loaded as provisional; the worklist is sent.",
        owner="cataloguer",
        limit=1,
        tags=("nightly", "decisions"),
        cron="0 5 * * *",
    ),
    Deployed(
        "plan-decide",
        "A held plan is approved or rejected by its hash, and the work that it held goes on.",
        owner="operator",
        limit=4,
        tags=("decisions",),
    ),
    Deployed(
        "revert",
        "A delivery, a sweep of accounts or a renewal is taken back as a whole; what others changed since survives "
        "and is listed.",
        owner="operator",
        limit=1,
        tags=("decisions",),
    ),
    Deployed(
        "collection-match",
        "The whole stock of a joining library is matched against the catalogue. Its holdings wait for approval of a "
        "plan; the library gets its results as files.",
        owner="operator",
        limit=1,
        tags=("services",),
    ),
    Deployed(
        "bib-merge",
        "Bibs that are one become one: holdings moved, double ones joined, all numbers lead to the bib that stays.",
        owner="cataloguer",
        limit=1,
        tags=("catalogue", "services"),
    ),
    Deployed(
        "bib-split",
        "Merged bibs are parted again; what others changed since survives and is listed.",
        owner="cataloguer",
        limit=1,
        tags=("catalogue", "services"),
    ),
    Deployed(
        "duplicate-bibs",
        "Bibs that look like one are found by the evidence of matching and offered in the worklist; none is merged. "
        "Looks at what changed since its last run, with `full` at everything.",
        owner="cataloguer",
        limit=1,
        tags=("nightly", "catalogue", "services"),
        # After the provisional bibs of 05:00, so that the worklist of the morning has both.
        cron="15 5 * * *",
    ),
    Deployed(
        "local-export",
        "What changed in the catalogue goes to the libraries' local systems, a file a profile of the register. With a "
        "profile and a window a past one is sent again.",
        owner="operator",
        limit=1,
        tags=("nightly", "services"),
        # After the provisional bibs of 05:00, so that a bought book is in its library's file of the morning.
        cron="30 5 * * *",
    ),
    Deployed(
        "library-onboarding",
        "A library's application is checked rule by rule; when all hold its entry is written into the register and it "
        "is welcomed. `application` is the TOML text, or the sigel of one that came before.",
        owner="operator",
        limit=1,
        tags=("services",),
    ),
    Deployed(
        "holdings-freshness",
        "Registering libraries whose holdings have not moved for the months of the register are listed to the "
        "consortium.",
        owner="operator",
        limit=1,
        tags=("services",),
        cron="0 7 1 * *",
    ),
    Deployed(
        "bib-import",
        "A member's records from another base come in under an import profile. The whole plan of a file waits for "
        "approval; with no files, what was approved since is loaded.",
        owner="operator",
        limit=1,
        tags=("services",),
    ),
    Deployed(
        "marts",
        "A snapshot of the promised views as Parquet files by day; patrons and accounts are counted only.",
        owner="operator",
        limit=1,
        tags=("nightly", "services"),
        cron="45 5 * * *",
    ),
    Deployed(
        "data-docs",
        "Pages of the quality checks for deliveries that have none, the oldest first. Made after every ingest; the "
        "nightly run makes those that were missed.",
        owner="operator",
        limit=1,
        tags=("nightly", "quality"),
        cron="30 4 * * *",
    ),
    Deployed(
        "nightly-overview",
        "How the night went, as a page in the landing zone and as an artifact; old files made for people are removed.",
        owner="operator",
        limit=1,
        tags=("nightly",),
        cron="30 6 * * *",
    ),
    Deployed(
        "feed-watch",
        "Looks whether each supplier and patron source delivered in its rhythm, and tells the operator once a day of "
        "what did not come.",
        owner="operator",
        limit=1,
        tags=("nightly", "suppliers"),
        cron="15 6 * * *",
    ),
    Deployed(
        "run-reaper",
        "Runs that crashed, fell silent or were never begun are taken up again, three times at most.",
        owner="operator",
        limit=1,
        tags=("operation",),
        cron="*/2 * * * *",
    ),
    Deployed(
        "tell-operator",
        "The operator is told of a run that failed, was lost for good, or is held. Started by an automation.",
        owner="operator",
        limit=4,
        tags=("operation",),
    ),
)
"""In the order of the documentation."""


def deployed(name: str) -> Deployed:
    """The entry of a flow. Raises KeyError."""
    return {each.name: each for each in DEPLOYED}[name]
