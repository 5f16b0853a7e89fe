"""Settings of the offline model."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class OfflineSettings(BaseSettings):
    """Delays in milliseconds: before the first byte, and before each streamed chunk."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = 8000
    offline_llm_delay_ms: int = 0
    offline_llm_token_delay_ms: int = 0
