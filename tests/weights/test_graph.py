"""Graphs are those of our networks, whole."""

import pytest
from small_networks import NETWORKS, random_weights
from torch import nn

from srgan_cli.networks import GENERATORS
from srgan_cli.weights.graph import BUILDERS, Graph, build_graph


def test_every_network_has_a_graph():
    assert BUILDERS.keys() == GENERATORS.keys()


@pytest.mark.parametrize(("architecture", "sizes"), NETWORKS)
def test_a_graph_holds_every_layer_with_parameters_once(architecture, sizes):
    graph = build_graph(architecture, sizes)
    expected = {key.rpartition(".")[0] for key in random_weights(architecture, sizes).state}
    assert sorted([*graph.weights.values(), *graph.norms.values()]) == sorted(expected)
    read = {number for operation in graph.operations for number in operation.inputs}
    assert read == {*range(len(graph.operations))} - {graph.output}


def test_equal_operations_are_one_and_sums_have_no_order():
    graph = Graph(nn.Identity())
    x = graph.add("tanh", 0)
    assert graph.add("tanh", 0) == x
    assert graph.add("add", 0, x) == graph.add("add", x, 0)
    assert graph.add("sub", 0, x) != graph.add("sub", x, 0)
    assert graph.resize("nearest", x, 1) == x


def test_layers_that_graphs_do_not_have_are_refused():
    with pytest.raises(TypeError, match="Softmax"):
        Graph(nn.Identity()).layers(0, nn.Identity(), nn.Softmax())
