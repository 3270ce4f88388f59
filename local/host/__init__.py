"""A Functions host for the laptop: listeners, timers and an HTTP server around Microsoft's own worker library.

It runs any ``function_app.py``; nothing in it knows the app. What the worker in Azure refuses is refused here, because
the same library (``azure-functions-runtime``) reads the functions, converts the bindings and calls the code.

Reading path: ``__main__`` (the command) -> ``host`` (what starts and stops) -> the listeners -> ``invocations`` -> ``worker``.
"""
