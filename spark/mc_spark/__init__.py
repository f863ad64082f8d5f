"""mc-spark: a pipeline of mycloud's tools on Apache Spark.

plan.py makes steps of what mc-explain tells of a pipeline; job.py runs these on Spark, and files.py knows
where their data comes from; what a partition is worked on with is in processes.py, which executors run, too.
command.py is the command line.
"""
