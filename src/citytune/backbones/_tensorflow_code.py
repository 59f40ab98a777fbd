"""What a file of TensorFlow's would do outside itself when it is opened or asked: nothing may."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

NEVER = frozenset(
    {"EagerPyFunc", "MatchingFiles", "PyFunc", "PyFuncStateless", "ReadFile", "WriteFile"}
)
"""Operations that run Python, or read and write files, which no forecast needs, nor any saving."""
OUTSIDE = frozenset(
    {
        "CacheDataset",
        "DebugIdentity",
        "DebugNanCount",
        "DebugNumericSummary",
        "GenerateVocabRemapping",
        "InitializeTableFromTextFile",
        "RegisterDataset",
        "RegisterDatasetV2",
        "SnapshotChunkDataset",
        "SnapshotDataset",
        "SnapshotDatasetReader",
        "SnapshotDatasetV2",
    }
)
"""Those that touch files or other machines, though TensorFlow does not say that they do anything
besides computing …"""
INSIDE = re.compile(
    r"Assert|Assign(Add|Sub)?(VariableOp)?|(Read|Destroy).*(Variable|Resource)Op|Var(Handle|IsIni)"
    r".*|Variable(V2|Shape)?|TemporaryVariable|DisableCopyOnRead|Resource(Gather|Scatter|Strided).*"
    r"|Case|If|While|StatefulPartitionedCall|CheckNumerics.*|Empty|GuaranteeConst|_Arg|_Retval"
    r"|(Anonymous|Mutable)?(Dense)?HashTable.*|AnonymousMutable.*HashTable.*|LookupTable.*"
    r"|InitializeTableV2|Random(?!Dataset).*|Stateful(Random|Standard|Truncated|Uniform).*"
    r"|StatelessRandomGetAlg|Rng.*Skip|Multinomial|.*TruncatedNormal|NonDeterministicInts"
    r"|SampleDistorted.*|Stack.*|TensorArray.*|CudnnRNN.*|Print|Timestamp"
)
"""… and those that keep variables, tables or chance, and no more. Any other that TensorFlow calls
stateful is refused."""


def harmful(saved: Any) -> list[str]:
    """Operations of a `SavedModel` that reach out of it, sorted.

    Saving and restoring are there in each; they are refused where a signature, or what runs when
    the file is opened, asks for them.
    """
    found: set[str] = set()
    for graph in saved.meta_graphs:
        functions = {one.signature.name: one.node_def for one in graph.graph_def.library.function}
        everywhere = [*graph.graph_def.node, *(n for nodes in functions.values() for n in nodes)]
        found |= {node.op for node in everywhere} & NEVER
        if graph.HasField("object_graph_def"):
            first = [n for one in graph.object_graph_def.concrete_functions
                     for n in functions.get(one, ())]  # fmt: skip
        else:  # of TensorFlow 1
            first = [*_behind(graph.graph_def.node, _ends(graph))]
        found |= {node.op for node in _called(first, functions) if _reaches_out(node)}
    return sorted(found)


def _ends(graph: Any) -> Iterator[str]:
    """Where a graph of TensorFlow 1 is asked: its signatures, and what runs at the beginning."""
    for signature in graph.signature_def.values():
        yield from (one.name for one in signature.outputs.values())
    for kind in ("legacy_init_op", "saved_model_main_op"):
        yield from graph.collection_def[kind].node_list.value


def _behind(nodes: Iterable[Any], ends: Iterable[str]) -> Iterator[Any]:
    """The nodes that some are computed from, and these."""
    where = {node.name: node for node in nodes}
    waiting, seen = [_name(one) for one in ends], set[str]()
    while waiting:
        name = waiting.pop()
        if name in where and name not in seen:
            seen.add(name)
            waiting += [_name(one) for one in where[name].input]
            yield where[name]


def _name(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _called(first: Iterable[Any], functions: dict[str, Any]) -> Iterator[Any]:
    """Some nodes, and those of the functions that they call."""
    waiting, seen = [*first], set[str]()
    while waiting:
        node = waiting.pop()
        yield node
        names = [node.op]
        for value in node.attr.values():
            names += [value.func.name, *(one.name for one in value.list.func)]
        for name in {*names} & functions.keys() - seen:
            seen.add(name)
            waiting += functions[name]


def _reaches_out(node: Any) -> bool:
    from tensorflow.python.framework import op_def_registry

    if node.op == "PrintV2":
        return bool(node.attr["output_stream"].s.startswith(b"file:"))
    known = op_def_registry.get(node.op)
    if known is None or not known.is_stateful:
        return node.op in OUTSIDE
    return INSIDE.fullmatch(node.op) is None
