"""Settings of qa-service."""

from pydantic import Field, SecretStr

from intervai_shared.settings import RateRule, ServiceSettings


class QaSettings(ServiceSettings):
    """What only qa-service knows."""

    service: str = "qa-service"
    mongo_database: str = "intervai_qa"

    openai_api_key: SecretStr
    openai_base_url: str | None = Field(None, description="Another server that speaks OpenAI's API; None: OpenAI.")
    openai_model: str = "gpt-4o-mini"
    openai_timeout_seconds: float = Field(60.0, gt=0)
    generation_batch: int = Field(10, ge=1, le=50, description="Questions asked of the model in one call.")
    generation_threads: int = Field(64, ge=1, description="Generations at a time in one worker process.")
    generation_bulk_from: int = Field(
        21, ge=1, description="A generation of so many questions or more lets smaller ones go first."
    )

    queue_limit_generation: int = Field(
        1000, ge=1, description="Generations that wait or run; past it new ones are refused (503)."
    )
    rate_limit_generation: RateRule = Field("20/hour", description="Generations, a person.")
    trending_days: int = Field(30, ge=1, description="How far back trending topics look.")
    trending_half_life_days: float = Field(7.0, gt=0, description="After this a use of a topic counts half.")
    trending_min_users: int = Field(3, ge=1, description="A topic shows from so many different users on.")
    trending_cache_seconds: int = Field(300, ge=0)
