"""The record-batch Faust driver, lanes, leases, delivery, dead letters, commits and transactions."""
