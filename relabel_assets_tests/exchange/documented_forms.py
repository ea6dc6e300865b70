"""The forms of JSON that other tools document, as JSON schemas, each with the page that it is of.

What belongs here: values. What does not: assertions.
"""

from typing import Any

_TEXT, _TEXTS = {"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string"}}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = required | (optional or {})
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": items}


SCHEMAS = {
    # https://docs.opensearch.org/latest/search-plugins/search-relevance/judgments/: ratings are texts that
    # hold a number; TextValidationUtil.java limits the name and the description.
    "opensearch": _object(
        {
            "name": {"type": "string", "maxLength": 50, "pattern": r'^[^"\\<>]+$'},
            "description": {"type": "string", "maxLength": 250, "pattern": r'^[^"\\<>]+$'},
            "type": {"const": "IMPORT_JUDGMENT"},
            "judgmentRatings": _list(
                _object(
                    {
                        "query": _TEXT,
                        "ratings": _list(
                            _object(
                                {
                                    "docId": _TEXT,
                                    "rating": {"type": "string", "pattern": r"^\d+(\.\d+)?$"},
                                }
                            )
                        ),
                    }
                )
            ),
        }
    ),
    # https://www.elastic.co/guide/en/elasticsearch/reference/current/search-rank-eval.html
    "rank-eval": _object(
        {
            "templates": _list(
                _object({"id": _TEXT, "template": _object({"inline": {"type": "object"}})})
            ),
            "requests": _list(
                _object(
                    {
                        "id": _TEXT,
                        "template_id": _TEXT,
                        "params": {"type": "object", "minProperties": 1},
                        "ratings": _list(
                            _object({"_index": _TEXT, "_id": _TEXT, "rating": {"type": "integer"}})
                        ),
                    }
                )
            ),
            "metric": _object(
                {"dcg": _object({"k": {"type": "integer"}, "normalize": {"type": "boolean"}})}
            ),
        }
    ),
    # https://github.com/SeaseLtd/rated-ranking-evaluator/wiki, and Engine.java: documents by their gain.
    "rre": _object(
        {
            "index": _TEXT,
            "corpora_file": _TEXT,
            "id_field": _TEXT,
            "query_placeholder": {"const": "$query"},
            "topics": _list(
                _object(
                    {
                        "description": _TEXT,
                        "query_groups": _list(
                            _object(
                                {
                                    "name": _TEXT,
                                    "queries": _list(
                                        _object(
                                            {
                                                "template": _TEXT,
                                                "placeholders": _object({"$query": _TEXT}),
                                            }
                                        )
                                    ),
                                    "relevant_documents": {
                                        "type": "object",
                                        "propertyNames": {"pattern": "^[0-9]$"},
                                        "additionalProperties": _TEXTS,
                                    },
                                }
                            )
                        ),
                    }
                )
            ),
        }
    ),
    # https://vespa-engine.github.io/pyvespa/api/vespa/evaluation.html: validate_qrels takes 0 to 1.
    "vespa": _object(
        {
            "queries": {"type": "object", "additionalProperties": _TEXT},
            "relevant_docs": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
                },
            },
        }
    ),
}
