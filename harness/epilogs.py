"""What --help ends with: examples, and what is worth knowing before them."""

EPILOG = """\
start here:
  bench list                                      what there is to choose from
  bench run task=nanogpt algo=ngram               one measured run
  bench leaderboard                               what the runs so far say
  bench report                                    the same as one page to look at
"""

RUN_EPILOG = """\
examples:
  bench run task=nanogpt algo=backprop
  bench run task=sparse_parity algo=xor_elimination task.n=50 task.k=5 seed=3
  bench run task=nanogpt task.text=tinyshakespeare algo=ngram algo.order=5
  bench run -m task=sparse_parity algo=backprop,xor_elimination seed=0,1,2
  bench run task=sparse_parity algo=./mine.py:Mine    (bench new algorithm mine.py)
  bench run --dry-run -m task=nanogpt algo=ngram algo.order=4,5,6,7
  bench run suite=tinyshakespeare seed=0,1,2,3,4      every algorithm at every bar (then: bench front)
  bench run task=nanogpt algo=ngram tracker=wandb     told to Weights & Biases as well (bench dashboard)

fields: bench list NAME shows those of a task, an algorithm or a meter. Besides these:
  seed=0 repeats=N threads=N results=DIR limits.train_s=S limits.memory_gb=GB
  tracker=wandb tracker.project=P tracker.group=G tracker.tags=[a,b] tracker.mode=online

A tracker hears of a run and has no part in it: Record, hashes and exit code are as without. Without a key
wandb stays offline and the command says how to send the run later. Likewise for curve, count, suites and -m,
for tune (a W&B run for every trial, in a group by the search) and exam (by the exam; job type = side).
"""


CURVE_EPILOG = """\
examples:
  bench curve task=nanogpt task.text=tinyshakespeare algo=hashed_softmax
  bench curve task=nanogpt algo=backprop curve.budget_j=100 curve.until_bar=true

While training is paused all its processes are stopped and the window is closed; evaluations are a
phase of their own. The Record is of kind "curve" and on no board: an exam is one training whose end
was fixed beforehand (bench run). curve.first_s and curve.ratio say when pauses come, curve.budget_j and
curve.until_bar when training ends early; a bar that is not met by then is reported as not met.
"""

COUNT_EPILOG = """\
examples:
  bench count task=sparse_parity algo=backprop
  bench count -m task=nanogpt algo=ngram,hashed_softmax seed=0,1,2 energy=7nm
  bench metrics                                   how well counts rank algorithms, held against measured runs

One training, on a draw that follows from the seed: the same command gives the same counts, to the unit. Of
torch (backward included), numpy and the compiled kernels, which count themselves; the Record names what
nobody counted. It is slowed down many times over, so nothing is measured. Joules are modelled from the
counts by a table (energy=45nm, 7nm or a yaml of your own; bench list shows them) and are a floor.
"""

TUNE_EPILOG = """\
examples:
  bench tune task=sparse_parity algo=backprop process=tpe budget.trials=40
  bench tune task=nanogpt task.text=grammar task.bytes=40000 algo=ngram process=evolve budget.energy_j=50
  bench tune task=sparse_parity algo=backprop process=random budget.like=results/tune/NAME/found.yaml
  bench tune ... process=command "process.command='python propose.py'" budget.trials=20
  bench run task=sparse_parity algo=results/tune/NAME/found.yaml        the exam with what was found

A trial is a metered run on a draw that follows from the seed, so that all trials sit the same and none
sits an exam; the best are confirmed on further draws. What is searched stands in the algorithm's yaml
(bench list NAME shows it), or in a class of your own as search = {...}; a field that is set on the command
line (algo.hidden=12) is held. The same words again go on where the search was ended, and with a larger
budget go further; --fresh begins anew and keeps the old. A proposer speaks JSON lines:
harness/processes/command.py.
Exit code 0: the search is complete; 2: bad input, interrupted, or no trial has finished.
"""

EXAM_EPILOG = """\
examples:
  bench exam task=sparse_parity algo=hypercell                   10 pairs against the tuned backprop
  bench exam task=nanogpt task.text=tinyshakespeare task.bar=1.88 algo=ngram pairs=5
  bench exam task=sparse_parity algo=./mine.py:Mine baseline=backprop baseline.hidden=20
  bench exam task=sparse_parity algo=hypercell ablations=all     each ablation sits in every pair too
  bench exam task=sparse_parity algo=hypercell "ablations='small: bite=8; alone: one_location=true'"
  bench exam --dry-run ...     bench exam --show last

algo.FIELD=V is the candidate's, baseline.FIELD=V the baseline's; all other fields are of both. Candidate and
baseline sit in random order within each pair, on the same draw, in fresh processes. PASS wants all of: energy
ratio below 1 (one-sided, 1 %), score not worse than the task's margin (5 %), wall time at most 5 % above
(5 %), every run finished and the median score at the bar. If `pairs` leave it undecided, `extension` more
follow (as many again; 0: none); each of the two looks has half of every error rate. That is written to
results/exams/NAME/plan.json before the first run; the verdict to verdict.json, computed from the Records.
PASS becomes INDICATIVE where the error of modelled joules, a baseline below the bar or a longer tuning could
undo it. The same words go on after a kill, and say a finished verdict again; --fresh begins anew. Ablations
have no part in the verdict, and each costs as much again as the candidate; ablations=all takes those that the
algorithm's yaml, or class (ablations = {"name": "field=value"}), lists.
Exit code: 0 PASS, 4 FAIL, 3 UNDECIDED or INDICATIVE, 2 bad input, interrupted, or a baseline that failed.
"""

MEASURE_EPILOG = """\
examples:
  bench measure -- python train.py --epochs 3
  bench measure --meter nvml+rapl --name resnet -- torchrun train.py

The command's output and exit code are its own; the result goes to standard error and to the Records.
In Python: from harness.measure import measure, then: with measure("my training") as m: ...
"""

IMPORT_EPILOG = """\
The log is joined to the run's phases by time (seconds since 1970, or ISO 8601) and a new Record is
appended: the same run, with rows and a headline from the wall. The old Record stays as it is.

  bench import last plug.csv
  bench import 20260101-12 plug.csv --clock-offset -3600
"""

FRONT_EPILOG = """\
Of all runs, by task, text and bar (task.bar), the cheapest setting of each algorithm that meets it.
"crosses" is the number of predictions from which on that algorithm is cheaper than the first of the
bar, training and predictions together. Make runs with: bench run suite=NAME seed=0,1,2,3,4
"""

CUBE_EPILOG = """\
The problem axis goes from parity to GPT-2 scale, the metric axis from wall-clock to the wall plug. Ratios are
within one task, bar, device class and source. The baseline is the cheapest gradient-trained run there
(gradient: true in an algorithm's yaml), and named. The CSV has every cell, and for an empty one the command
that fills it.

  bench cube --results reports/published/exams --csv cube.csv
"""

EXPORT_EPILOG = """\
examples:
  bench export runs.csv runs.parquet                       every Record, every figure
  bench export --table board table.tex board.md            for a paper (booktabs), for a README
  bench export --table curves --results a --results b curves.csv

Tables: runs (a row per Record), board (as bench leaderboard), front, cube, curves (a row per point),
energy (a row per phase, domain and source). CSV and Parquet have all columns, Markdown and LaTeX those that a
page has room for.
"""

PLOT_EPILOG = """\
examples:
  bench plot front --out front.svg            energy against score, with the bars and the Pareto front
  bench plot curve --task tinyshakespeare     score against energy as training went on (bench curve)
  bench plot trace last --out trace.png       power over time, phases shaded (a run with a sensor)
"""

REPORT_EPILOG = """\
examples:
  bench report                                      results/report.html, one file that opens from disk
  bench report --results results --results results/exams --out page.html
  bench report --csv figures                        besides, every figure of the page as a CSV file
  bench report --serve                              a page that follows bench run while it goes on

On it: verdicts, boards, energy against score, curves, power traces, the cube with its empty cells, how far
cheap metrics can be trusted, and every Record with its sources, intervals and hashes. It loads nothing from
anywhere, so that it can be sent to anybody; of traces it has the newest 200, of pictures 12 MiB. It holds
the Records whole, paths in their settings included. --serve answers this machine alone and takes no lock:
it reads again only what has changed, only when somebody looks, at the lowest priority and for a tenth of
one core at most; Ctrl-C ends it. A sensor of the whole machine sees even that: where it matters, close the
page while a run is measured.
"""

DASHBOARD_EPILOG = """\
examples:
  bench run -m task=sparse_parity algo=hypercell,backprop seed=0,1,2 tracker=wandb
  bench dashboard                                 writes results/dashboard.json: what would be saved
  bench dashboard --publish --entity my-team      saves a workspace and a report at W&B

The report has a grid for every board of the Records (task, variant, access, source, device class): energy
against score, bars by algorithm, the table of runs; then curves with joules on the x axis, training, and
power traces. It shows what is at W&B: runs that were tracked, offline ones once they were sent (wandb sync).
Published again, both are saved anew beside the old ones.
"""

METERS_EPILOG = """\
examples:
  bench meters                          every sensor, and the exact thing to do where one is not usable
  bench meters check                    idle, half and full load: does each sensor follow?
  bench meters calibrate                fit W per CPU-second for cpu_time, by a better meter
"""

CHECK_EPILOG = """\
examples:
  bench run -m task=sparse_parity algo=backprop seed=0,1,2,3,4     five runs, and then
  bench check --write energy.json                                  a baseline of them, to be committed
  bench check energy.json --runs 5                                 later: five fresh runs held against it
  bench check energy.json --results fresh --junit energy.xml       or runs that were made before
  bench count task=sparse_parity algo=backprop results=counts      the exact gate, for shared machines:
  bench check --write counts.json --results counts
  bench check counts.json --runs 1

A row fails where joules per accuracy have risen by more than --margin, significantly: the hypothesis that
the true ratio is at most 1 + margin is rejected by a one-sided Welch t test on logarithms, at --alpha over
all rows together (Holm); where the score is worse by more than the task's margin, tested likewise; and
where a run misses its target, fails or is missing. A rise that is not significant is undecided, with the
runs that would tell. "sees" is the change at which four checks in five would fail. Runs of then and now
cannot be interleaved: a drift of the machine counts as a change. Write a baseline from runs of several
days, and its scatter knows of it. Modelled joules (cpu_time) are shown and fail nothing without --modelled.
Counts of bench count are equal to the unit on one draw: more operations, bytes read, written or
communicated, or a higher floor of joules fails. They know no score. Where rounding decides when training
stops, another processor or library may count otherwise; the row then names both.

Other device classes, energy sources, tasks and texts are refused. In GitHub Actions the Markdown goes to
the job's summary as well; .github/workflows/energy.yml is an example.
Exit code 0: nothing fails (an undecided row is a warning); 4: something does; 3: undecided, with --strict;
2: bad input, or nothing to compare; 1: a fault of ours.
"""
