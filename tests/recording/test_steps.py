"""What one agent run remembers of its supersteps: enough to place a retry, and never more than a little."""

from __future__ import annotations

from agent_callbacks.recording.steps import Level, ModelPlace, StepState, place_model


def placed(state: StepState, superstep: int, branch: str = "model", run: str = "1") -> tuple[StepState, ModelPlace]:
    """Place a model call of *run* of *branch*, alone in its *superstep*."""
    return place_model(state, (Level(superstep, branch, run),), beside=None, prompt=None, attempt=1)


def after(supersteps: int) -> StepState:
    """Return the state after a model call in each of so many supersteps."""
    state = StepState()
    for superstep in range(1, supersteps + 1):
        state, _ = placed(state, superstep)
    return state


def test_a_node_run_again_repeats_its_step() -> None:
    """A new run of the same branch of the same superstep is a retry, not another decision."""
    assert ModelPlace(3, 2) == placed(after(3), 3, run="2")[1]


def test_branches_of_a_superstep_share_their_steps() -> None:
    """First with first, second with second."""
    state, first = placed(StepState(), 1, "a")
    state, second = placed(state, 1, "a")
    state, beside = placed(state, 1, "b")
    _, later = placed(state, 1, "b")
    assert [1, 2, 1, 2] == [one.index for one in (first, second, beside, later)]


def test_the_oldest_supersteps_are_forgotten() -> None:
    """A run of any length remembers sixteen; a node of an older one that runs again takes a new step."""
    state = after(40)
    assert list(range(25, 41)) == list(state.supersteps)
    assert ModelPlace(25, 2) == placed(state, 25, run="2")[1]
    assert ModelPlace(41) == placed(state, 24, run="2")[1]


def test_a_superstep_used_again_is_the_youngest() -> None:
    """What is forgotten first is what was used longest ago."""
    state, _ = placed(after(16), 1, run="2")
    state, _ = placed(state, 17)
    assert {1, 3} <= state.supersteps.keys()
    assert 2 not in state.supersteps


def test_an_earlier_state_stays_as_it_was() -> None:
    """Placing a call gives a new state; what was given is not written to."""
    state = after(2)
    placed(state, 2, "other")
    placed(state, 3)
    assert after(2) == state
