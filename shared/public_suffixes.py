"""Suffixes under which many owners have names, so that no wildcard may span one.

Not the Public Suffix List, which changes weekly and has nine thousand rows: every single label,
the second-level names that country registries share out, and places where large hosts let anybody
have a name. What is missing here makes a wildcard wider than its author may think; it never makes
an address reachable, since addresses are judged when a call is made.
"""

from typing import Final

_COUNTRY_LENGTH: Final = 2
_SHARED_SECOND_LEVELS: Final = frozenset({
    "ac", "asn", "co", "com", "edu", "firm", "gen", "gob", "gouv", "gov", "go", "id", "info",
    "ltd", "me", "mil", "name", "ne", "net", "nic", "nom", "or", "org", "plc", "sch", "web",
})  # fmt: skip
_HOSTED: Final = frozenset({
    "a.run.app", "amazonaws.com", "akamaihd.net", "appspot.com", "awsapprunner.com",
    "azure-api.net", "azureedge.net", "azurefd.net", "azurewebsites.net", "blob.core.windows.net",
    "blogspot.com", "cloudapp.azure.com", "cloudapp.net", "cloudfront.net", "cloudfunctions.net",
    "core.windows.net", "ddns.net", "deno.dev", "digitaloceanspaces.com", "duckdns.org",
    "edgekey.net", "elasticbeanstalk.com", "elb.amazonaws.com", "eu.org",
    "execute-api.amazonaws.com",
    "fastly.net", "firebaseapp.com", "firebaseio.com", "fly.dev", "github.io",
    "githubusercontent.com", "gitlab.io", "glitch.me", "googleapis.com", "googleusercontent.com",
    "herokuapp.com", "lambda-url.on.aws", "localtunnel.me", "myshopify.com", "netlify.app",
    "ngrok-free.app", "ngrok.app", "ngrok.io", "nip.io", "no-ip.org", "on.aws",
    "ondigitalocean.app", "onrender.com", "pages.dev", "r2.dev", "railway.app", "replit.app",
    "run.app", "s3.amazonaws.com", "sslip.io", "trafficmanager.net", "trycloudflare.com",
    "uk.com", "us.com", "vercel.app", "web.app", "webflow.io", "windows.net", "wordpress.com",
    "workers.dev", "xip.io",
})  # fmt: skip


def is_public_suffix(suffix: str) -> bool:
    """Whether names below `suffix` (lower case, without a leading dot) have many owners."""
    first, _, rest = suffix.partition(".")
    if not rest or suffix in _HOSTED:
        return True
    return len(rest) == _COUNTRY_LENGTH and first in _SHARED_SECOND_LEVELS
