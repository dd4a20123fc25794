// Production, with two directories as an example. Replace the values in angle brackets.
using '../main.bicep'

param environmentName = 'prod'
param location = 'westeurope'
param storageRedundancy = 'Standard_ZRS'
param alwaysReadyInstances = 1
param auditRetentionDays = 1095
param privateNetwork = true
// The public addresses of the agents' outbound traffic.
param allowedIpRanges = [
  '203.0.113.10'
]
param alertEmail = 'identity-operations@example.com'
param grantGraphRoles = false
param targets = [
  {
    name: 'ad'
    domains: 'corp.example.com'
    agentCertificate: '<base64 of agent.cer>'
    agentPrincipalId: ''
  }
  {
    name: 'emea'
    domains: 'emea.example.com,apac.example.com'
    agentCertificate: ''
    agentPrincipalId: '<object id of the service principal>'
  }
]
