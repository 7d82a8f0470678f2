"""How AWS Lambda takes records from queues, streams and asynchronous calls: the rules, without any I/O.

Time comes from a clock and the outside world from a transport, both given in, and everything happens in `poll_once`:
no thread, no sleep, no randomness. The local stack runs this code with boto3 and the real clock; a simulator runs the
same code with a virtual clock and faults.
"""
