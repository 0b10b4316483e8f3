"""Three tasks: Bash, Python, and a process of the Python that Airflow itself runs on."""

import os
import subprocess
import sys

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task

PLACE = os.environ["AIRFLOW_HOME"]


def note(name, text):
    with open(os.path.join(PLACE, name), "w") as file:
        file.write(text)


with DAG("story", schedule=None):

    @task
    def python():
        import airflow

        note("python", airflow.__version__)

    @task
    def child():
        code = "import importlib.util; print('airflow' if importlib.util.find_spec('airflow') else 'no airflow')"
        note("child", subprocess.check_output([sys.executable, "-c", code], text=True).strip())

    BashOperator(task_id="bash", bash_command="echo from bash >%s/bash" % PLACE) >> python() >> child()
