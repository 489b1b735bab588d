"""Terraform modules around the bundles (HCL as text; the platforms' official providers)."""

import json
from collections.abc import Iterable
from typing import Final

from headwater.edge.build import Bundle
from headwater.edge.package import FILE

_PROVIDERS: Final = {
    "cloudfront": ("aws", "hashicorp/aws"),
    "akamai": ("akamai", "akamai/akamai"),
    "lambda": ("aws", "hashicorp/aws"),
    "fastly": ("fastly", "fastly/fastly"),
}
_CLOUDFRONT: Final = """\
resource "aws_cloudfront_function" {label} {{
  name                         = {name}
  runtime                      = "cloudfront-js-2.0"
  comment                      = {sha256}
  publish                      = true
  code                         = file({file})
  key_value_store_associations = [aws_cloudfront_key_value_store.headwater.arn]
}}
"""
_STORE: Final = """\
resource "aws_cloudfront_key_value_store" "headwater" {{
  name = {name}
}}
"""
# The token and CMCD are in neither policy (E-44): the function has taken them out of the query.
_POLICY: Final = """\
resource "aws_cloudfront_cache_policy" "headwater" {{
  name        = {name}
  min_ttl     = 0
  default_ttl = 0
  max_ttl     = 31536000
  parameters_in_cache_key_and_forwarded_to_origin {{
    enable_accept_encoding_gzip = true
    cookies_config {{
      cookie_behavior = "none"
    }}
    headers_config {{
      header_behavior = "none"
    }}
    query_strings_config {{
      query_string_behavior = "allExcept"
      query_strings {{
        items = ["CAT", "cat", "CMCD"]
      }}
    }}
  }}
}}
"""
_AKAMAI: Final = """\
resource "akamai_edgeworker" {label} {{
  name             = {name}
  group_id         = var.group_id
  resource_tier_id = var.resource_tier_id
  local_bundle     = {file}
}}

variable "group_id" {{
  type = number
}}

variable "resource_tier_id" {{
  type = number
}}
"""
_FASTLY: Final = """\
data "fastly_package_hash" {label} {{
  filename = {file}
}}

resource "fastly_configstore" "headwater" {{
  name = "headwater"
}}

resource "fastly_secretstore" "headwater" {{
  name = "headwater"
}}

resource "fastly_kvstore" "headwater" {{
  name = "headwater"
}}

resource "fastly_service_compute" {label} {{
  name = {name}
  package {{
    filename         = {file}
    source_code_hash = data.fastly_package_hash.{bare}.hash
  }}
  domain {{
    name = var.domain
  }}
  backend {{
    name    = "origin"
    address = var.origin
    port    = 443
    use_ssl = true
  }}
  resource_link {{
    name        = "headwater"
    resource_id = fastly_configstore.headwater.id
  }}
  resource_link {{
    name        = "headwater"
    resource_id = fastly_secretstore.headwater.id
  }}
  resource_link {{
    name        = "headwater"
    resource_id = fastly_kvstore.headwater.id
  }}
  force_destroy = true
}}

variable "domain" {{
  type = string
}}

variable "origin" {{
  type = string
}}
"""
_LAMBDA: Final = """\
resource "aws_lambda_function" "viewer_request" {{
  function_name    = {name}
  filename         = {file}
  source_code_hash = filebase64sha256({file})
  handler          = "index.viewerRequest"
  runtime          = "nodejs20.x"
  memory_size      = 128
  timeout          = 5
  publish          = true
  role             = var.role_arn
}}

resource "aws_lambda_function" "viewer_response" {{
  function_name    = "${{aws_lambda_function.viewer_request.function_name}}-response"
  filename         = {file}
  source_code_hash = filebase64sha256({file})
  handler          = "index.viewerResponse"
  runtime          = "nodejs20.x"
  memory_size      = 128
  timeout          = 5
  publish          = true
  role             = var.role_arn
}}

variable "role_arn" {{
  type = string
}}
"""


def module(platform: str, name: str, bundles: Iterable[Bundle], folder: str) -> str:
    """The module's one file."""
    provider, source = _PROVIDERS[platform]
    blocks = [
        f'terraform {{\n  required_providers {{\n    {provider} = {{\n      source = "{source}"\n'
        "    }\n  }\n}\n"
    ]
    shape = {"cloudfront": _CLOUDFRONT, "akamai": _AKAMAI, "lambda": _LAMBDA, "fastly": _FASTLY}[
        platform
    ]
    for bundle in bundles:
        path = {
            "akamai": f"{folder}/{name}.tgz",
            "lambda": f"{folder}/lambda.zip",
            "fastly": f"{folder}/{FILE}",
        }
        values = {
            "label": bundle.name.replace("-", "_"),
            "name": f"{name}-{bundle.name}" if platform == "cloudfront" else name,
            "sha256": str(bundle.manifest["sha256"]),
            "file": path.get(platform, f"{folder}/{bundle.name}.js"),
        }
        quoted = {key: json.dumps(value) for key, value in values.items()}
        blocks.append(shape.format(**quoted, bare=values["label"]))
    if platform == "cloudfront":
        blocks += [text.format(name=json.dumps(name)) for text in (_STORE, _POLICY)]
    return "\n".join(blocks)
