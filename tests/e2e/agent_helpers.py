"""What several end-to-end tests of the agent share."""
from grid import port_range, wait_for


def own_ports():
    """Options for a range that other grids on this machine leave alone, where a test minds which port a node has."""
    return "--node-ports", port_range(object())


def wait_reason(grid, agent_id, words, index=0):
    """The node's reasons once one of them holds these words."""
    return wait_for("a reason with %r" % words, lambda: next(
        (r for r in grid.nodes(agent_id)[index]["reasons"] if words in r), None))


def update_in(grid, agent_id, state):
    def reached():
        update = grid.show(agent_id)["update"]
        return update if update["state"] == state else None
    return wait_for("update state %s of %s" % (state, agent_id), reached)
