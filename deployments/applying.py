"""What is declared in git, put on a Prefect server: variables, secret blocks, pool, deployments, automations.

Applied again it changes nothing.

Only what differs is written, so that a schedule that somebody paused in the UI stays paused until its declaration
changes. What bears Samkat's tag and is declared no more is taken away; nothing else on the server is touched.
Imported only where a server is at hand: it imports Prefect, and every flow.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.blocks.system import Secret
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, VariableCreate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker
from pydantic import SecretStr

from config.settings import Settings
from deployments.automations import AUTOMATIONS
from deployments.blocks import SECRET_BLOCKS, VARIABLES, environment_of_runs
from deployments.prefect_file import pull_steps
from deployments.registry import (
    CLIENT_RETRIES,
    COLLISION_STRATEGY,
    DEPLOYED,
    HEARTBEAT_SECONDS,
    POOL,
    RETRIED_ANSWERS,
    Deployed,
)
from schemas.errors import ConfigurationError

POOL_DESCRIPTION = "Samkat's flows, each in a process of its own on a machine where a worker runs."


@dataclass(frozen=True)
class Change:
    """One thing that was not as declared. `verb`: created, changed or removed."""

    verb: str
    what: str
    name: str
    fields: tuple[str, ...] = ()
    """What differed, where it was changed."""


async def apply_declared(settings: Settings, secrets: Mapping[str, str] | None = None) -> list[Change]:
    """Put everything on the server of PREFECT_API_URL; returns what was changed, nothing where all was as declared.

    `secrets` are values by environment variable, saved into their Secret blocks; without them blocks stay as they are.
    """
    async with get_client() as client:
        changes = [each async for each in _apply_variables(client)]
        changes += [each async for each in _save_secrets(client, secrets or {})]
        changes += [each async for each in _apply_pool(client)]
        ids: dict[str, UUID] = {}
        for each in DEPLOYED:
            change = await _apply_deployment(client, each, settings, ids)
            changes += [change] if change else []
        changes += await _remove_deployments(client)
        changes += await _apply_automations(client, ids)
        return changes


async def _apply_variables(client: PrefectClient) -> AsyncIterator[Change]:
    """Variables that are missing. What a person has set stays."""
    for each in VARIABLES:
        if await client.read_variable_by_name(each.name) is None:
            await client.create_variable(VariableCreate(name=each.name, value=each.first, tags=[POOL]))
            yield Change("created", "variable", each.name)


async def _save_secrets(client: PrefectClient, secrets: Mapping[str, str]) -> AsyncIterator[Change]:
    """Secret blocks of the values given. The change names the block and says nothing of its value."""
    for variable, block in SECRET_BLOCKS.items():
        value = secrets.get(variable)
        kept = await _kept(client, block) if value else None
        if value and value != kept:
            await Secret(value=SecretStr(value)).asave(block, overwrite=True)
            yield Change("created" if kept is None else "changed", "secret block", block)


async def _kept(client: PrefectClient, block: str) -> str | None:
    """What a Secret block holds; None where there is no such block."""
    try:
        return str((await client.read_block_document_by_name(block, "secret")).data["value"])
    except ObjectNotFound:
        return None


async def _blocks_there(client: PrefectClient) -> frozenset[str]:
    """Those of our Secret blocks that the server has."""
    return frozenset([block for block in SECRET_BLOCKS.values() if await _kept(client, block) is not None])


def pool_template(blocks: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The process worker's own template; every run says that it lives, and outlives a server that is away.

    `blocks` are the Secret blocks that the server has; runs are given what they hold.
    """
    template = ProcessWorker.get_default_base_job_template()
    template["variables"]["properties"]["env"]["default"] = {
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
        "PREFECT_CLIENT_MAX_RETRIES": str(CLIENT_RETRIES),
        "PREFECT_CLIENT_RETRY_EXTRA_CODES": RETRIED_ANSWERS,
        **environment_of_runs(blocks),
    }
    return template


async def _apply_pool(client: PrefectClient) -> AsyncIterator[Change]:
    """The work pool. How many runs it takes at a time, and whether it is paused, is the operator's affair."""
    template = pool_template(await _blocks_there(client))
    try:
        found = await client.read_work_pool(POOL)
    except ObjectNotFound:
        await client.create_work_pool(
            WorkPoolCreate(name=POOL, type="process", description=POOL_DESCRIPTION, base_job_template=template)
        )
        yield Change("created", "work pool", POOL)
        return
    if found.type != "process":
        raise ConfigurationError(
            f"the work pool {POOL!r} is of type {found.type!r}, not process",
            remedy="delete it in the Prefect UI, then apply again",
        )
    if found.base_job_template != template or found.description != POOL_DESCRIPTION:
        await client.update_work_pool(POOL, WorkPoolUpdate(description=POOL_DESCRIPTION, base_job_template=template))
        yield Change("changed", "work pool", POOL, ("job template",))


def flow_of(each: Deployed) -> Flow[..., Any]:
    """The flow itself, imported."""
    found = getattr(importlib.import_module(f"flows.{each.module}"), each.module)
    assert isinstance(found, Flow)
    return found


def _declared_facts(each: Deployed, flow: Flow[..., Any], settings: Settings) -> dict[str, Any]:
    """What the server should say of a deployment."""
    return {
        "entrypoint": each.entrypoint,
        "description": each.shown_description,
        "tags": sorted(each.all_tags),
        "parameters": dict(each.parameters),
        # As Prefect's own command writes it.
        "form": parameter_schema(flow).model_dump(exclude_unset=True),
        "limit": (each.limit, COLLISION_STRATEGY),
        "work pool": POOL,
        "code": pull_steps(str(settings.code)),
        "schedule": [(each.cron, settings.timezone)] if each.cron else [],
    }


def _found_facts(found: DeploymentResponse) -> dict[str, Any]:
    """What the server says of it."""
    limit, options = found.global_concurrency_limit, found.concurrency_options
    return {
        "entrypoint": found.entrypoint,
        "description": found.description,
        "tags": sorted(found.tags),
        "parameters": found.parameters,
        "form": found.parameter_openapi_schema,
        "limit": (limit.limit if limit else None, options.collision_strategy.value if options else None),
        "work pool": found.work_pool_name,
        "code": found.pull_steps,
        "schedule": [
            (each.schedule.cron, each.schedule.timezone) if isinstance(each.schedule, CronSchedule) else ("other", None)
            for each in found.schedules
        ],
    }


async def _apply_deployment(
    client: PrefectClient, each: Deployed, settings: Settings, ids: dict[str, UUID]
) -> Change | None:
    """One deployment; its id is added to `ids`."""
    flow = flow_of(each)
    declared = _declared_facts(each, flow, settings)
    change = Change("created", "deployment", each.full_name)
    try:
        found = await client.read_deployment_by_name(each.full_name)
    except ObjectNotFound:
        pass
    else:
        ids[each.full_name] = found.id
        there = _found_facts(found)
        differing = tuple(name for name, value in declared.items() if there[name] != value)
        if not differing:
            return None
        change = Change("changed", "deployment", each.full_name, differing)
    schedule = CronSchedule(cron=each.cron, timezone=settings.timezone) if each.cron else None
    ids[each.full_name] = await client.create_deployment(
        flow_id=await client.create_flow(flow),
        name=each.name,
        version=flow.version,
        entrypoint=each.entrypoint,
        path=".",
        pull_steps=pull_steps(str(settings.code)),
        work_pool_name=POOL,
        description=each.shown_description,
        tags=each.all_tags,
        parameters=dict(each.parameters),
        parameter_openapi_schema=declared["form"],
        enforce_parameter_schema=True,
        concurrency_limit=each.limit,
        concurrency_options=ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy(COLLISION_STRATEGY)),
        schedules=[DeploymentScheduleCreate(schedule=schedule, active=True)] if schedule else [],
    )
    return change


async def _remove_deployments(client: PrefectClient) -> list[Change]:
    """Deployments of Samkat that are declared no more: a retired flow would fail every night."""
    declared = {each.name for each in DEPLOYED}
    ours = await client.read_deployments(
        deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=[POOL])), limit=200
    )
    removed = [each for each in ours if each.name not in declared and each.work_pool_name == POOL]
    for each in removed:
        await client.delete_deployment(each.id)
    return [Change("removed", "deployment", each.name) for each in removed]


async def _apply_automations(client: PrefectClient, ids: Mapping[str, UUID]) -> list[Change]:
    """The automations, told apart by their names."""
    changes = []
    there = {each.name: each for each in await client.read_automations() if POOL in each.tags}
    for each in AUTOMATIONS:
        declared = each.automation(ids)
        found = there.pop(each.name, None)
        if found is None:
            await client.create_automation(declared)
            changes.append(Change("created", "automation", each.name))
        elif _comparable(found) != _comparable(declared):
            # Paused by a person, it stays paused.
            await client.update_automation(found.id, declared.model_copy(update={"enabled": found.enabled}))
            changes.append(Change("changed", "automation", each.name))
    for name, found in there.items():
        await client.delete_automation(found.id)
        changes.append(Change("removed", "automation", name))
    return changes


def _comparable(automation: Automation | AutomationCore) -> object:
    """What an automation does, whatever id the server gave to it and in whatever order it keeps sets."""
    parts = automation.model_dump(
        mode="json", include={"description", "tags", "trigger", "actions", "actions_on_trigger", "actions_on_resolve"}
    )
    return _in_order(parts)


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_order(each) for key, each in value.items() if key != "id"}
    if isinstance(value, list):
        return sorted((_in_order(each) for each in value), key=str)
    return value
