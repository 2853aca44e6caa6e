"""The site: where programs run, and how that is found out."""

from borarun.site.model import Retries, Site, default_site, load_site, site_schema

__all__ = ["Retries", "Site", "default_site", "load_site", "site_schema"]
