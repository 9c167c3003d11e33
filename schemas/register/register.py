"""The register as a whole, and what only holds across its files."""

from __future__ import annotations

from functools import cached_property

from pydantic import model_validator

from schemas.register.account_rules import AccountSystem
from schemas.register.account_sources import AccountSource
from schemas.register.base import RegisterModel
from schemas.register.catalogue import CatalogueRules
from schemas.register.export_profiles import ExportProfile
from schemas.register.guards import GuardPolicy
from schemas.register.import_profiles import ImportProfile
from schemas.register.levels import LevelPolicy
from schemas.register.libraries import Library
from schemas.register.matching import MatchingPolicy
from schemas.register.participation import ParticipationRules
from schemas.register.patron_policy import PatronPolicy
from schemas.register.patron_sources import PatronSource
from schemas.register.patron_targets import PatronTarget
from schemas.register.retention import Retention
from schemas.register.senders import Sender
from schemas.register.suppliers import FileRules, Supplier


class Register(RegisterModel):
    """Everything that is policy."""

    catalogue: CatalogueRules
    suppliers: tuple[Supplier, ...]
    libraries: tuple[Library, ...]
    matching: MatchingPolicy
    levels: LevelPolicy
    guards: GuardPolicy
    retention: Retention = Retention()
    participation: ParticipationRules = ParticipationRules()
    patron_sources: tuple[PatronSource, ...] = ()
    patron_policy: PatronPolicy = PatronPolicy()
    patron_targets: tuple[PatronTarget, ...] = ()
    export_profiles: tuple[ExportProfile, ...] = ()
    import_profiles: tuple[ImportProfile, ...] = ()
    account_systems: tuple[AccountSystem, ...] = ()
    account_sources: tuple[AccountSource, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Register:
        for kind, codes in (
            ("suppliers", [each.code for each in self.suppliers]),
            ("libraries", [each.sigel for each in self.libraries]),
            ("patron_sources", [each.code for each in self.patron_sources]),
            ("patron_targets", [each.code for each in self.patron_targets]),
            ("export_profiles", [each.name for each in self.export_profiles]),
            ("account_sources", [each.code for each in self.account_sources]),
            ("import_profiles", [each.code for each in self.import_profiles]),
        ):
            repeated = sorted({code for code in codes if codes.count(code) > 1})
            if repeated:
                raise ValueError(f"{kind}: {', '.join(repeated)} is there twice")
        for library in self.libraries:
            unknown = sorted(set(library.suppliers) - {each.code for each in self.suppliers})
            if unknown:
                raise ValueError(f"libraries: {library.sigel}: suppliers: unknown supplier {', '.join(unknown)}")
        for supplier in self.suppliers:
            unknown = sorted(set(supplier.libraries) - {each.sigel for each in self.libraries})
            if unknown:
                raise ValueError(f"suppliers: {supplier.code}: libraries: unknown sigel {', '.join(unknown)}")
            if supplier.level_table and supplier.level_table not in self.levels.tables:
                raise ValueError(f"suppliers: {supplier.code}: level_table: no table {supplier.level_table!r}")
        self._check_patron_sources()
        self._check_patron_targets()
        self._check_account_sources()
        self._check_export_profiles()
        self._check_import_profiles()
        return self

    def _check_patron_sources(self) -> None:
        suppliers = {each.code for each in self.suppliers}
        sigels = {each.sigel for each in self.libraries}
        for source in self.patron_sources:
            if source.code in suppliers:
                raise ValueError(f"patron_sources: {source.code}: code: a supplier has it, and its landing folder, too")
            if source.library and source.library not in sigels:
                raise ValueError(f"patron_sources: {source.code}: library: unknown sigel {source.library}")

    def _check_export_profiles(self) -> None:
        sigels = {each.sigel for each in self.libraries}
        makers = {"catalogue", *(each.code for each in self.suppliers)}
        for profile in self.export_profiles:
            unknown = [] if profile.is_everything else sorted(set(profile.libraries) - sigels)
            if unknown:
                raise ValueError(f"export_profiles: {profile.name}: libraries: unknown sigel {', '.join(unknown)}")
            unknown = sorted(set(profile.triggers.sources) - makers)
            if unknown:
                raise ValueError(f"export_profiles: {profile.name}: sources: unknown supplier {', '.join(unknown)}")

    def _check_import_profiles(self) -> None:
        sigels = {each.sigel for each in self.libraries}
        taken = {each.code for part in (self.suppliers, self.patron_sources, self.patron_targets) for each in part}
        for profile in self.import_profiles:
            unknown = sorted(set(profile.libraries) - sigels)
            if unknown:
                raise ValueError(f"import_profiles: {profile.code}: libraries: unknown sigel {', '.join(unknown)}")
            if profile.level_table and profile.level_table not in self.levels.tables:
                raise ValueError(f"import_profiles: {profile.code}: level_table: no table {profile.level_table!r}")
            if profile.code in taken | {"catalogue"}:
                raise ValueError(f"import_profiles: {profile.code}: code: another sender has it")

    def _check_patron_targets(self) -> None:
        senders = {each.code for each in self.suppliers} | {each.code for each in self.patron_sources}
        institutions = {each.institution for each in self.patron_sources}
        taken: set[str] = set()
        for target in self.patron_targets:
            if target.code in senders:
                raise ValueError(f"patron_targets: {target.code}: code: a sender has it, and its landing folder, too")
            if institutions and target.institution not in institutions:
                raise ValueError(f"patron_targets: {target.code}: institution: no source of {target.institution}")
            if target.institution in taken:
                raise ValueError(f"patron_targets: {target.code}: institution: {target.institution} has one already")
            taken.add(target.institution)

    def _check_account_sources(self) -> None:
        senders = self.supplier_by_code.keys() | self.patron_source_by_code.keys()
        senders |= {each.code for each in self.patron_targets}
        sigels, systems = {each.sigel for each in self.libraries}, {each.code for each in self.account_systems}
        for source in self.account_sources:
            if source.code in senders:
                raise ValueError(f"account_sources: {source.code}: code: a sender has it, and its landing folder, too")
            if source.system not in systems:
                raise ValueError(f"account_sources: {source.code}: system: no rules of {source.system}")
            if source.library and source.library not in sigels:
                raise ValueError(f"account_sources: {source.code}: library: unknown sigel {source.library}")

    @cached_property
    def supplier_by_code(self) -> dict[str, Supplier]:
        """Suppliers by code."""
        return {each.code: each for each in self.suppliers}

    @cached_property
    def import_profile_by_code(self) -> dict[str, ImportProfile]:
        """Import profiles by code."""
        return {each.code: each for each in self.import_profiles}

    @cached_property
    def sender_by_code(self) -> dict[str, Sender]:
        """Everybody whose records are matched and decided: suppliers and import profiles, by code."""
        return {**self.supplier_by_code, **self.import_profile_by_code}

    def for_sender(self, code: str) -> Register:
        """The register as it holds for a sender's records: an import may be matched by rules of its own."""
        profile = self.import_profile_by_code.get(code)
        return self if profile is None else self.model_copy(update={"matching": profile.matching.over(self.matching)})

    @cached_property
    def patron_source_by_code(self) -> dict[str, PatronSource]:
        """Patron sources by code."""
        return {each.code: each for each in self.patron_sources}

    @cached_property
    def export_profile_by_name(self) -> dict[str, ExportProfile]:
        """Export profiles by name."""
        return {each.name: each for each in self.export_profiles}

    @cached_property
    def account_system_by_code(self) -> dict[str, AccountSystem]:
        """Systems of accounts by code."""
        return {each.code: each for each in self.account_systems}

    @cached_property
    def account_source_by_code(self) -> dict[str, AccountSource]:
        """Senders of files about accounts by code."""
        return {each.code: each for each in self.account_sources}

    @cached_property
    def files_by_sender(self) -> dict[str, FileRules]:
        """How the files of everybody who may drop some are taken, by the name of the folder."""
        patrons = {each.code: FileRules(marker=each.file.manifest) for each in self.patron_sources}
        exports = {
            each.code: FileRules(marker=each.export.manifest)
            for each in self.patron_targets
            if each.kind == "alma_files"
        }
        accounts = {each.code: FileRules(marker=each.marker) for each in self.account_sources}
        return {each.code: each.file for each in self.suppliers} | patrons | exports | accounts

    @cached_property
    def patron_target_by_institution(self) -> dict[str, PatronTarget]:
        """Patron targets by institution; one that is not there has no library system that Samkat talks to."""
        return {each.institution: each for each in self.patron_targets}

    @cached_property
    def library_by_sigel(self) -> dict[str, Library]:
        """Libraries by sigel."""
        return {each.sigel: each for each in self.libraries}
