"""What becomes of jobs, as far as the headers of their inputs tell: nothing is written."""

from dataclasses import replace

from srgan_cli.batch.output_names import STREAM
from srgan_cli.batch.plan import Job, exists
from srgan_cli.batch.run import JobOptions, Outcome
from srgan_cli.batch.upscale_job import convert_header
from srgan_cli.files import writable_target
from srgan_cli.images.formats import check_target
from srgan_cli.images.read import read_header
from srgan_cli.settings import ImageSize


def dry_run(job: Job, options: JobOptions) -> Outcome:
    """What `run_jobs` would report, from the header of the input. Writes nothing."""
    outcome = Outcome(job, error=job.problem)
    if outcome.error is not None or job.source == STREAM:
        return outcome
    if options.skip_existing and job.target != STREAM and exists(job.target):
        return replace(outcome, skipped=True)
    try:
        return _dry_run(outcome, options)
    except Exception as error:
        return outcome.failed(error)


def check_job(job: Job, options: JobOptions) -> Job:
    """The job; with its problem, where the header of its input or its output tells one."""
    outcome = dry_run(job, options)
    expected = outcome.trace is None  # others are reported when the job runs
    return replace(job, problem=outcome.error) if expected else job


def _dry_run(outcome: Outcome, options: JobOptions) -> Outcome:
    job = outcome.job
    header = convert_header(
        read_header(job.source, max_pixels=options.max_pixels), options.conversion
    )
    size = options.pipeline.output_size(header.height, header.width)
    result = replace(header, height=size.height, width=size.width)
    check_target(job.target, options.encoding, result)
    if job.target != STREAM:
        writable_target(job.target)
    before = ImageSize(header.height, header.width)
    passes = options.pipeline.passes(header.height, header.width)
    return replace(outcome, before=before, after=size, passes=passes)
