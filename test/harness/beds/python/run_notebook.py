"""Runs notebooks with nbclient: run_notebook.py RESULT FOLDER NOTEBOOK...; writes the cells of each as a line of JSON.

FOLDER is where the kernels run."""

import json
import sys

import nbclient
import nbformat

result, folder, *notebooks = sys.argv[1:]
with open(result, "w") as out:
    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        client = nbclient.NotebookClient(
            notebook, timeout=120, allow_errors=True, resources={"metadata": {"path": folder}}
        )
        client.execute()
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        out.write(json.dumps([{"source": cell.source, "outputs": cell.outputs} for cell in cells]) + "\n")
