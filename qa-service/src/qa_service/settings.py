"""Settings of qa-service."""

from pydantic import Field, SecretStr

from intervai_shared.settings import RateRule
from intervai_shared.storage import StorageSettings
from qa_service.llm.options import DEFAULT_PRICES, UNKNOWN_PRICE, FallbackProvider, Price
from qa_service.llm.prompt import Quality


class QaSettings(StorageSettings):
    """What only qa-service knows."""

    service: str = "qa-service"
    mongo_database: str = "intervai_qa"
    s3_bucket: str = "intervai-exports"

    openai_api_key: SecretStr
    openai_base_url: str | None = Field(None, description="Another server that speaks OpenAI's API; None: OpenAI.")
    openai_model: str = "gpt-4o-mini"
    openai_model_high: str | None = Field(None, description="The better model, for quality `high`; None: the same.")
    openai_timeout_seconds: float = Field(60.0, gt=0, description="The longest silence of a provider.")
    openai_stream: bool = Field(True, description="Whether replies are streamed; False for servers that cannot.")
    llm_fallbacks: list[FallbackProvider] = Field(
        [], description="JSON list of {name, apiKey, baseUrl, model, modelHigh}: asked in order when the first cannot."
    )
    llm_longest_retry_after_seconds: float = Field(
        20.0, ge=0, description="A provider that asks to wait longer is passed over."
    )
    llm_break_after: int = Field(8, ge=1, description="Faults in a row after which a provider is left alone for 5 s.")
    llm_prices: dict[str, Price] = Field(
        DEFAULT_PRICES, description="JSON map of a model's name, or its beginning, to {input, output}: USD per million."
    )
    llm_default_price: Price = Field(UNKNOWN_PRICE, description="Of models that the table does not know.")
    llm_user_daily_usd: float = Field(2.0, ge=0, description="What a user may spend in a day (UTC); 0: no limit.")
    llm_hourly_usd: float = Field(50.0, ge=0, description="What all may spend in an hour; 0: no limit.")
    generation_batch: int = Field(10, ge=1, le=50, description="Questions asked of the model in one call.")
    generation_parallel: int = Field(3, ge=1, le=10, description="Calls of one generation at a time.")
    generation_reasks: int = Field(
        8, ge=0, description="Further calls for what the model has repeated or left out, in one generation."
    )
    generation_quality_of_hard: Quality = Field(
        "high", description="Who makes hard questions when nothing else is said."
    )
    generation_cache_seconds: int = Field(
        86_400, ge=0, description="How long sets of questions are kept for others with the same wish; 0: not at all."
    )
    generation_cache_variants: int = Field(4, ge=1, le=20, description="Different sets that are kept of one wish.")
    generation_flight_seconds: float = Field(
        30.0, gt=0, le=60, description="How long a generation waits for another one that makes the same."
    )
    generation_threads: int = Field(64, ge=1, description="Generations at a time in one worker process.")
    generation_bulk_from: int = Field(
        21, ge=1, description="A generation of so many questions or more lets smaller ones go first."
    )

    queue_limit_generation: int = Field(
        1000, ge=1, description="Generations that wait or run; past it new ones are refused (503)."
    )
    rate_limit_generation: RateRule = Field("20/hour", description="Generations, a person.")
    rate_limit_rewriting: RateRule = Field("60/hour", description="Questions written anew, a person.")
    rate_limit_explanation: RateRule = Field("60/hour", description="Explanations of questions, a person.")
    import_max_bytes: int = Field(8 * 1_048_576, ge=1024, description="Of the file of a session that is imported.")
    rate_limit_import: RateRule = Field("20/hour", description="Sessions imported from files, a person.")
    rate_limit_shared: RateRule = Field("60/minute", description="Looks at shared sessions, an address.")
    interview_seconds_per_question: int = Field(
        180, ge=15, le=3600, description="Of a mock interview, if it says none."
    )
    interview_report_patience_seconds: float = Field(
        60.0, ge=0, description="How long the report of a mock interview waits for the scores of its last answers."
    )
    reviews_new_per_day: int = Field(20, ge=0, description="Questions that may begin in a person's review queue a day.")
    reviews_desired_retention: float = Field(
        0.9, gt=0, lt=1, description="How surely a question shall be remembered when it comes back (FSRS)."
    )
    reviews_maximum_days: int = Field(365, ge=1, description="A question comes back at the latest after so long.")
    rate_limit_grading: RateRule = Field("60/hour", description="Attempts at answers that are scored, a person.")
    resume_max_bytes: int = Field(5 * 1_048_576, ge=1, le=20 * 1_048_576)
    resume_upload_seconds: int = Field(300, ge=1, le=1800, description="How long the form of an upload works.")
    resume_seconds: float = Field(15.0, ge=1, description="What reading one résumé may take.")
    rate_limit_resumes: RateRule = Field("20/hour", description="Uploads of résumés, and readings of them, a person.")
    trending_days: int = Field(30, ge=1, description="How far back trending topics look.")
    trending_half_life_days: float = Field(7.0, gt=0, description="After this a use of a topic counts half.")
    trending_min_users: int = Field(3, ge=3, description="A topic shows from so many different users on.")
    trending_cache_seconds: int = Field(300, ge=0)
