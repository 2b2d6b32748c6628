"""What a person sees of a run with one step."""

from typing import Any

import dagster as dg


def shown_by(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Return what its page shows beside the step, by name."""
    return {
        name: value.value
        for event in result.all_events
        if event.is_successful_output
        for name, value in event.step_output_data.metadata.items()
    }


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """Return what it says went wrong."""
    [failed] = result.get_step_failure_events()
    return str(failed.step_failure_data.error_display_string)
