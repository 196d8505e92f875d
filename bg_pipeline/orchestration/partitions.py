"""One partition a collection, registered when the delta finds it. Never one an image."""

import dagster as dg

collections = dg.DynamicPartitionsDefinition(name="collections")
