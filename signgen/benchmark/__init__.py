"""A corpus's split rendered and scored, beside what is published and the rows that calibrate both."""

from signgen.benchmark.run import Benchmark, run_benchmark
from signgen.benchmark.settings import BenchmarkSettings, Paper

__all__ = ["Benchmark", "BenchmarkSettings", "Paper", "run_benchmark"]
