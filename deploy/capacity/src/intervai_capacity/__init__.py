"""What a load needs and costs, by figures that were measured; and the files that follow from deploy/tiers.yaml."""
