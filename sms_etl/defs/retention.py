"""The jobs of retention: one plans, the other carries out a plan that somebody has looked at.

They are two so that nobody deletes what nobody has seen, and no schedule starts the second.
"""

from collections.abc import Mapping
from uuid import UUID

import dagster as dg
from pydantic import Field

from sms_etl.defs.failures import sanitised_failures
from sms_etl.defs.resources import EXECUTOR, WRITER_POOL, SettingsParam
from sms_etl.errors import NoSuchPlan
from sms_etl.retention.applying import Applied, apply_plan
from sms_etl.retention.plan import RetentionPlan, RulePlan, make_plan
from sms_etl.retention.reasons import WORDS, Reason


class PlanToApply(dg.Config):
    """Which plan is to be carried out."""

    plan_id: str = Field(description="As the job `retention_plan`, or `sms-etl retention plan`, shows it.")


@dg.op(pool=WRITER_POOL, out=dg.Out(dg.Nothing))
def plan_retention(context: dg.OpExecutionContext, settings: SettingsParam) -> None:
    """Show what each rule would delete now, and why the rest stays. Deletes nothing."""
    with sanitised_failures():
        plan = make_plan(settings.load())
    context.add_output_metadata(
        {
            "plan": str(plan.plan_id),
            "messages": plan.messages,
            "expires at": dg.TimestampMetadataValue(plan.expires_at.timestamp()),
            "rules": dg.MarkdownMetadataValue(_rules(plan)),
            "held back": dg.MarkdownMetadataValue(_reasons(plan.held_back)),
        }
    )


@dg.op(pool=WRITER_POOL, out=dg.Out(dg.Nothing))
def apply_retention(context: dg.OpExecutionContext, config: PlanToApply, settings: SettingsParam) -> None:
    """Carry out a plan exactly as it was shown. What is deleted at the provider is gone for good."""
    with sanitised_failures():
        result = apply_plan(settings.load(), _plan_id(config.plan_id))
    context.add_output_metadata(_facts(result))
    if result.needs_attention:
        raise dg.Failure(
            f"{result.confirmed} messages were deleted, and some left that should not have been:\n"
            + _reasons(result.skipped),
            allow_retries=False,
        )


@dg.job(executor_def=EXECUTOR)
def retention_plan() -> None:
    """Plan what must not be kept any longer. Deletes nothing."""
    plan_retention()


@dg.job(executor_def=EXECUTOR)
def retention_apply() -> None:
    """Carry out the plan whose id is given, for good. Never started by a schedule."""
    apply_retention()


def _plan_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as exc:
        raise NoSuchPlan(
            "That is no id of a plan.", hint="The job `retention_plan` shows it, as `plan` of its step."
        ) from exc


def _facts(result: Applied) -> Mapping[str, dg.MetadataValue]:
    return {
        "deleted": dg.MetadataValue.int(result.deleted),
        "confirmed": dg.MetadataValue.int(result.confirmed),
        "files": dg.MetadataValue.int(result.files),
        "left": dg.MetadataValue.md(_reasons(result.skipped)),
    }


def _rules(plan: RetentionPlan) -> str:
    if not plan.rules:
        return "The policy has no rules."
    heading = "| rule | target | messages | files | cost | oldest | newest |\n|---|---|--:|--:|--:|---|---|\n"
    return heading + "\n".join(_row(rule) for rule in plan.rules)


def _row(rule: RulePlan) -> str:
    costs = "<br>".join(f"{each.currency} {each.cost:,.2f}" for each in rule.amounts)
    oldest, newest = (moment and f"{moment:%Y-%m-%d}" for moment in (rule.oldest, rule.newest))
    name = rule.name.replace("|", "\\|")
    cells = (name, rule.target, rule.messages, rule.files, costs, oldest or "", newest or "")
    return f"| {' | '.join(map(str, cells))} |"


def _reasons(reasons: Mapping[str, int]) -> str:
    return (
        "\n".join(f"- {count:,}: {WORDS[Reason(reason)]}" for reason, count in reasons.items()) or "nothing"
    )
