"""What a process holds for the second factor."""

from dataclasses import dataclass

from auth_service.accounts.passwords import PasswordHasher
from auth_service.accounts.repository import AccountRepository
from auth_service.audit.service import AuditLog
from auth_service.guard.service import LoginGuard
from auth_service.letters.service import Letters
from auth_service.mfa.challenges import MfaChallenges
from auth_service.mfa.login import TwoStepLogin
from auth_service.mfa.repository import MfaRepository
from auth_service.mfa.second_factor import SecondFactor
from auth_service.mfa.service import MfaService
from auth_service.mfa.step_up import StepUp
from auth_service.mfa.totp import Authenticator
from auth_service.sessions.service import SessionService
from intervai_shared.resources import Resources


@dataclass(frozen=True)
class Mfa:
    """`factor` is for others who must see a code of somebody."""

    own: MfaService
    login: TwoStepLogin
    step_up: StepUp
    factor: SecondFactor


def open_mfa(
    resources: Resources,
    accounts: AccountRepository,
    sessions: SessionService,
    passwords: PasswordHasher,
    audit: AuditLog,
    letters: Letters,
    authenticator: Authenticator,
    guard: LoginGuard,
) -> Mfa:
    """On the parts of the process."""
    repository = MfaRepository(resources.mongo.db)
    factor = SecondFactor(repository, authenticator, audit, guard)
    return Mfa(
        own=MfaService(accounts, repository, authenticator, audit, letters, resources.outbox, guard),
        login=TwoStepLogin(accounts, MfaChallenges(resources.redis), factor, sessions),
        step_up=StepUp(accounts, sessions, passwords, factor, audit, guard),
        factor=factor,
    )
