"""Writes packages/onnx/data/operator-versions.json: since which operator sets each ONNX operator has its versions, and
which type constraint each of its operands and results is under.

The table is needed because an ONNX Runtime kernel without an upper version matches only nodes of exactly its own version
(see packages/onnx/src/lowering/kernels.ts). Run it again only to learn newer operator sets:

    python -m venv .venv && .venv/bin/pip install onnx==1.23.1
    .venv/bin/python tools/onnx-versions/generate.py
"""

import json
from pathlib import Path

import onnx
from onnx import defs

NEWEST_OPSET = 23
TARGET = Path(__file__).parents[2] / "packages/onnx/data/operator-versions.json"


def constraints(values):
    """The names of the constraints; a type that is fixed stands for itself. The last of a variadic operator repeats."""
    return [value.type_str for value in values]


def main():
    operators = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain or schema.deprecated or schema.since_version > NEWEST_OPSET:
            continue
        operators.setdefault(schema.name, {})[schema.since_version] = {
            "inputs": constraints(schema.inputs),
            "outputs": constraints(schema.outputs),
        }
    table = {
        "source": f"onnx.defs of the Python package onnx {onnx.__version__} (Apache-2.0), by tools/onnx-versions/generate.py",
        "newestOpset": NEWEST_OPSET,
        "operators": {
            name: dict(sorted(versions.items())) for name, versions in sorted(operators.items())
        },
    }
    lines = [f'  {json.dumps(name)}: {json.dumps(versions)}' for name, versions in table["operators"].items()]
    head = json.dumps({key: value for key, value in table.items() if key != "operators"}, indent=1)[:-2]
    TARGET.write_text(head + ',\n "operators": {\n' + ",\n".join(lines) + "\n }\n}\n")


main()
