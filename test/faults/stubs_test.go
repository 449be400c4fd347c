package faults

import "testing"

func brokerRestarts(t *testing.T, r *row)   {}
func brokerCutOff(t *testing.T, r *row)     {}
func connectionsReset(t *testing.T, r *row) {}
func storeFull(t *testing.T, r *row)        {}
func frozenServer(t *testing.T, r *row)     {}
func forgedResults(t *testing.T, r *row)    {}
