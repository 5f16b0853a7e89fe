"""What every process opens at its start."""

import pytest

from intervai_shared.mongo import Mongo
from intervai_shared.resources import HalfRestoredError, open_resources
from intervai_shared.settings import ServiceSettings


async def test_nobody_works_on_a_database_whose_restore_has_not_ended(settings: ServiceSettings, mongo: Mongo) -> None:
    await mongo.db.half_restored.insert_one({})
    with pytest.raises(HalfRestoredError, match="run it again"):
        async with open_resources(settings, {}):
            pass
    await mongo.db.half_restored.delete_many({})
    async with open_resources(settings, {}) as resources:
        assert resources.settings is settings
