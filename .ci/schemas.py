#!/usr/bin/env python3
"""schemas.py FROM INTO: the JSON Schemas of Kubernetes' objects, each with all that it refers to in it: kubeconform follows no relative reference."""
import json
import os
import sys

source, target = sys.argv[1:]
os.makedirs(target, exist_ok=True)
with open(f"{source}/_definitions.json") as file:
    definitions = json.load(file)["$defs"]


def refer(node, found):
    """Has each reference point into the same file, and notes what it points to."""
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str) and "#/$defs/" in reference:
            name = reference.split("#/$defs/")[1]
            node["$ref"] = "#/$defs/" + name
            found.add(name)
        for member in node.values():
            refer(member, found)
    elif isinstance(node, list):
        for item in node:
            refer(item, found)


reach = {}
for name, definition in definitions.items():
    refer(definition, reach.setdefault(name, set()))
for name in sorted(os.listdir(source)):
    if name == "_definitions.json" or not name.endswith(".json"):
        continue
    with open(f"{source}/{name}") as file:
        schema = json.load(file)
    todo, needed = set(), set()
    refer(schema, todo)
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not {"apiVersion", "kind"} <= properties.keys():
        continue
    while todo:
        one = todo.pop()
        if one not in needed and one in definitions:
            needed.add(one)
            todo |= reach[one]
    schema.pop("$id", None)
    schema.setdefault("$defs", {}).update({one: definitions[one] for one in needed})
    with open(f"{target}/{name}", "w") as file:
        json.dump(schema, file)
