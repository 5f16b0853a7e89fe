"""Requests and answers of the preferences routes."""

from typing import Literal

from intervai_shared.models import InputModel

ExportFormat = Literal["pdf", "docx", "csv", "md", "json", "apkg"]


class MailPreferences(InputModel):
    """Which letters a person gets. Those that say what was done to the account come in any case."""

    new_device: bool = True
    weekly_review: bool = False


class NotificationPreferences(InputModel):
    """Which notifications a person gets; a field for each kind."""

    questions_generated: bool = True
    export_ready: bool = True
    new_login: bool = True


class Preferences(InputModel):
    """All preferences of a person. What is left out has its default."""

    mail: MailPreferences = MailPreferences()
    notifications: NotificationPreferences = NotificationPreferences()
    default_export_format: ExportFormat = "pdf"
