"""One HTML page of everything that the Records hold: `data` collects it as plain JSON, `html` shows it."""
