"""What --help ends with: examples, and what is worth knowing before them."""

EPILOG = """\
start here:
  bench list                                      what there is to choose from
  bench run task=nanogpt algo=ngram               one measured run
  bench leaderboard                               what the runs so far say
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

fields: bench list NAME shows those of a task, an algorithm or a meter. Besides these:
  seed=0 repeats=N threads=N results=DIR limits.train_s=S limits.memory_gb=GB
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

METERS_EPILOG = """\
examples:
  bench meters                          every sensor, and the exact thing to do where one is not usable
  bench meters check                    idle, half and full load: does each sensor follow?
  bench meters calibrate                fit W per CPU-second for cpu_time, by a better meter
"""
