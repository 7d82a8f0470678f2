"""The one in-house DynamoDB: tables, stream, index and expiry in memory, held to the real engine by the tests.

The simulation plays it under faults, the tests count what it is asked, and the benchmark serves it over HTTP. It lives
here because the benchmark, which users run, must not import the tests.
"""
