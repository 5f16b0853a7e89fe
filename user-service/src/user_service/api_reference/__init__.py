"""One description of the public routes of all four services, as OpenAPI and as a page."""
