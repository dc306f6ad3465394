"""The parts of the site that are made by code: equations, lessons, pages of the API and of the source."""
