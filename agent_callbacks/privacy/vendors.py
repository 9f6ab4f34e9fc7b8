"""Keys of vendors: how each begins, and how much must follow. A new vendor is a row here.

Lengths are lower bounds taken from the vendors' documentation and from published keys; keys have grown before, so
nothing bounds them above. A prefix that common words begin with (``sk-``, ``key-``) also asks for a random body.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["PREFIXES", "Prefix", "prefix_of"]


class Prefix(NamedTuple):
    """One way a vendor's keys begin.

    Attributes:
        text: The first characters, case included.
        vendor: Who issues such keys.
        least: How many characters follow at least.
        sure: Nothing else begins like this; otherwise what follows must look random too.
    """

    text: str
    vendor: str
    least: int
    sure: bool = True


PREFIXES: Final[tuple[Prefix, ...]] = (
    # models
    Prefix("sk-ant-", "Anthropic", 16),
    Prefix("sk-proj-", "OpenAI", 16),
    Prefix("sk-svcacct-", "OpenAI", 16),
    Prefix("sk-admin-", "OpenAI", 16),
    Prefix("sess-", "OpenAI", 30, sure=False),
    Prefix("sk-or-v1-", "OpenRouter", 20),
    Prefix("sk-lf-", "Langfuse", 16),
    Prefix("pk-lf-", "Langfuse", 16),
    Prefix("sk-", "OpenAI, DeepSeek, Stability and others", 16, sure=False),
    Prefix("gsk_", "Groq", 16, sure=False),
    Prefix("xai-", "xAI", 16, sure=False),
    Prefix("pplx-", "Perplexity", 16, sure=False),
    Prefix("nvapi-", "NVIDIA", 16),
    Prefix("hf_", "Hugging Face", 16, sure=False),
    Prefix("api_org_", "Hugging Face", 16, sure=False),
    Prefix("r8_", "Replicate", 16, sure=False),
    Prefix("tvly-", "Tavily", 12, sure=False),
    Prefix("lsv2_pt_", "LangSmith", 16),
    Prefix("lsv2_sk_", "LangSmith", 16),
    Prefix("ls__", "LangSmith", 20, sure=False),
    Prefix("llx-", "LlamaCloud", 20, sure=False),
    Prefix("fw_", "Fireworks", 20, sure=False),
    Prefix("csk-", "Cerebras", 20, sure=False),
    Prefix("jina_", "Jina", 20, sure=False),
    Prefix("pa-", "Voyage", 30, sure=False),
    Prefix("pcsk_", "Pinecone", 16),
    Prefix("sk_", "ElevenLabs, Clerk and others", 24, sure=False),
    Prefix("fc-", "Firecrawl", 28, sure=False),
    # clouds
    Prefix("AKIA", "AWS", 16),
    Prefix("ASIA", "AWS", 16),
    Prefix("ABIA", "AWS", 16),
    Prefix("ACCA", "AWS", 16),
    Prefix("AGPA", "AWS", 16),
    Prefix("AIDA", "AWS", 16),
    Prefix("AIPA", "AWS", 16),
    Prefix("ANPA", "AWS", 16),
    Prefix("ANVA", "AWS", 16),
    Prefix("AROA", "AWS", 16),
    Prefix("APKA", "AWS", 16),
    Prefix("ASCA", "AWS", 16),
    Prefix("ABSK", "AWS Bedrock", 60),
    Prefix("AIza", "Google", 30),
    Prefix("GOCSPX-", "Google", 16),
    Prefix("ya29", "Google", 20),
    Prefix("GOOG", "Google Cloud Storage", 20, sure=False),
    Prefix("LTAI", "Alibaba", 12, sure=False),
    Prefix("AKID", "Tencent", 28, sure=False),
    Prefix("dop_v1_", "DigitalOcean", 16),
    Prefix("doo_v1_", "DigitalOcean", 16),
    Prefix("dor_v1_", "DigitalOcean", 16),
    Prefix("HRKU-", "Heroku", 16),
    Prefix("fo1_", "Fly.io", 16, sure=False),
    Prefix("fm2_", "Fly.io", 16, sure=False),
    Prefix("FlyV1", "Fly.io", 16),
    Prefix("vercel_", "Vercel", 16, sure=False),
    Prefix("vck_", "Vercel", 16, sure=False),
    Prefix("nfp_", "Netlify", 20, sure=False),
    Prefix("rnd_", "Render", 20, sure=False),
    Prefix("v1.0-", "Cloudflare", 30, sure=False),
    Prefix("ocid1.", "Oracle Cloud", 60, sure=False),
    # code and packages
    Prefix("ghp_", "GitHub", 20),
    Prefix("gho_", "GitHub", 20),
    Prefix("ghu_", "GitHub", 20),
    Prefix("ghs_", "GitHub", 20),
    Prefix("ghr_", "GitHub", 20),
    Prefix("github_pat_", "GitHub", 16),
    Prefix("glpat-", "GitLab", 16),
    Prefix("gldt-", "GitLab", 16),
    Prefix("glrt-", "GitLab", 16),
    Prefix("glptt-", "GitLab", 16),
    Prefix("glcbt-", "GitLab", 16),
    Prefix("glsoat-", "GitLab", 16),
    Prefix("glagent-", "GitLab", 16),
    Prefix("ATBB", "Bitbucket", 24, sure=False),
    Prefix("ATATT3", "Atlassian", 20),
    Prefix("ATCTT3", "Atlassian", 20),
    Prefix("npm_", "npm", 30, sure=False),
    Prefix("pypi-", "PyPI", 16, sure=False),
    Prefix("rubygems_", "RubyGems", 30),
    Prefix("oy2", "NuGet", 40, sure=False),
    Prefix("cio", "crates.io", 32, sure=False),
    Prefix("dckr_pat_", "Docker", 16),
    Prefix("dckr_oat_", "Docker", 16),
    Prefix("AKCp", "Artifactory", 60),
    Prefix("CCIPAT_", "CircleCI", 20),
    Prefix("bkua_", "Buildkite", 30),
    Prefix("sqp_", "SonarQube", 30),
    Prefix("squ_", "SonarQube", 30),
    Prefix("snyk_", "Snyk", 20, sure=False),
    # money
    Prefix("sk_live_", "Stripe", 12),
    Prefix("sk_test_", "Stripe", 12),
    Prefix("rk_live_", "Stripe", 12),
    Prefix("rk_test_", "Stripe", 12),
    Prefix("pk_live_", "Stripe", 16),
    Prefix("whsec_", "Stripe", 16),
    Prefix("sq0atp-", "Square", 16),
    Prefix("sq0csp-", "Square", 20),
    Prefix("EAAA", "Square", 50),
    Prefix("access-production-", "Plaid", 20),
    Prefix("access-sandbox-", "Plaid", 20),
    Prefix("rzp_live_", "Razorpay", 10),
    Prefix("rzp_test_", "Razorpay", 10),
    Prefix("shpat_", "Shopify", 20),
    Prefix("shpss_", "Shopify", 20),
    Prefix("shpca_", "Shopify", 20),
    Prefix("shppa_", "Shopify", 20),
    Prefix("FLWSECK", "Flutterwave", 16),
    # messages
    Prefix("xoxb-", "Slack", 16),
    Prefix("xoxp-", "Slack", 16),
    Prefix("xoxa-", "Slack", 16),
    Prefix("xoxr-", "Slack", 16),
    Prefix("xoxs-", "Slack", 16),
    Prefix("xoxe-", "Slack", 16),
    Prefix("xoxc-", "Slack", 16),
    Prefix("xoxd-", "Slack", 16),
    Prefix("xoxe.xoxp-", "Slack", 16),
    Prefix("xapp-", "Slack", 16),
    Prefix("SG.", "SendGrid", 16),
    Prefix("key-", "Mailgun", 32, sure=False),
    Prefix("xkeysib-", "Brevo", 20),
    Prefix("re_", "Resend", 20, sure=False),
    Prefix("mfa.", "Discord", 40),
    Prefix("EAAC", "Meta", 40),
    Prefix("EAAG", "Meta", 40),
    Prefix("EAAJ", "Meta", 40),
    Prefix("EAAB", "Meta", 40),
    Prefix("IGQV", "Instagram", 40),
    # operations
    Prefix("glsa_", "Grafana", 16),
    Prefix("glc_", "Grafana", 30, sure=False),
    Prefix("NRAK-", "New Relic", 16),
    Prefix("NRJS-", "New Relic", 16),
    Prefix("NRII-", "New Relic", 16),
    Prefix("sntrys_", "Sentry", 16),
    Prefix("sntryu_", "Sentry", 16),
    Prefix("pul-", "Pulumi", 30),
    Prefix("pul_", "Pulumi", 30),
    Prefix("phx_", "PostHog", 16, sure=False),
    Prefix("phc_", "PostHog", 16, sure=False),
    Prefix("hvs.", "HashiCorp Vault", 16),
    Prefix("hvb.", "HashiCorp Vault", 16),
    Prefix("hvr.", "HashiCorp Vault", 16),
    Prefix("dp.st.", "Doppler", 20),
    Prefix("dp.pt.", "Doppler", 20),
    Prefix("AGE-SECRET-KEY-1", "age", 20),
    Prefix("ops_", "1Password", 100),
    Prefix("tskey-", "Tailscale", 16),
    Prefix("PMAK-", "Postman", 16),
    Prefix("dapi", "Databricks", 30, sure=False),
    Prefix("dt0c01.", "Dynatrace", 30),
    Prefix("logfire_", "Logfire", 20, sure=False),
    Prefix("pylf_v", "Logfire", 20),
    Prefix("wandb_v1_", "Weights & Biases", 20),
    # work
    Prefix("lin_api_", "Linear", 16),
    Prefix("secret_", "Notion", 40, sure=False),
    Prefix("ntn_", "Notion", 20),
    Prefix("figd_", "Figma", 16),
    Prefix("sbp_", "Supabase", 20, sure=False),
    Prefix("sb_secret_", "Supabase", 16),
    Prefix("pscale_tkn_", "PlanetScale", 16),
    Prefix("pscale_pw_", "PlanetScale", 16),
    Prefix("CFPAT-", "Contentful", 20),
    Prefix("tfp_", "Typeform", 20),
    Prefix("pat-na1-", "HubSpot", 20),
    Prefix("pat-eu1-", "HubSpot", 20),
    Prefix("00D", "Salesforce", 60, sure=False),
    Prefix("duffel_live_", "Duffel", 20),
    Prefix("duffel_test_", "Duffel", 20),
    Prefix("EZAK", "EasyPost", 50),
    Prefix("EZTK", "EasyPost", 50),
    Prefix("shippo_live_", "Shippo", 20),
    Prefix("shippo_test_", "Shippo", 20),
    Prefix("algolia_", "Algolia", 20, sure=False),
    Prefix("ion_", "Inngest", 30, sure=False),
    Prefix("signkey-prod-", "Inngest", 20),
    Prefix("p8e-", "Adobe", 30),
    Prefix("AAAA", "Firebase messaging, X", 60, sure=False),
)

_STEM: Final = 2


def _by_stem() -> dict[str, tuple[Prefix, ...]]:
    stems: dict[str, list[Prefix]] = {}
    for prefix in sorted(PREFIXES, key=lambda one: -len(one.text)):
        stems.setdefault(prefix.text[:_STEM], []).append(prefix)
    return {stem: tuple(prefixes) for stem, prefixes in stems.items()}


_BY_STEM: Final = _by_stem()


def prefix_of(token: str) -> Prefix | None:
    """Return the longest prefix that *token* begins with and that leaves it enough characters."""
    for prefix in _BY_STEM.get(token[:_STEM], ()):
        if token.startswith(prefix.text) and len(token) >= len(prefix.text) + prefix.least:
            return prefix
    return None
