// A trial in a test tenant: the cheapest deployment that behaves like production.
using '../main.bicep'

param environmentName = 'test'
param location = 'westeurope'
param storageRedundancy = 'Standard_LRS'
param alwaysReadyInstances = 0
param auditRetentionDays = 1
param logRetentionDays = 30
