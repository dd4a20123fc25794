// The parameters of `azd up`: values of the azd environment, set with `azd env set NAME VALUE`.
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'test')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param deployerPrincipalId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param deployerPrincipalType = readEnvironmentVariable('AZURE_PRINCIPAL_TYPE', 'User')
param alertEmail = readEnvironmentVariable('PHOTORELAY_ALERT_EMAIL', '')
param grantGraphRoles = bool(readEnvironmentVariable('PHOTORELAY_GRANT_GRAPH_ROLES', 'true'))
param privateNetwork = bool(readEnvironmentVariable('PHOTORELAY_PRIVATE_NETWORK', 'false'))
param auditLocked = bool(readEnvironmentVariable('PHOTORELAY_AUDIT_LOCKED', 'false'))
param readerGroupId = readEnvironmentVariable('PHOTORELAY_READER_GROUP_ID', '')
param operatorGroupId = readEnvironmentVariable('PHOTORELAY_OPERATOR_GROUP_ID', '')
param targets = [
  {
    name: 'ad'
    domains: '*'
    agentCertificate: readEnvironmentVariable('PHOTORELAY_AGENT_CERTIFICATE', '')
    agentPrincipalId: readEnvironmentVariable('PHOTORELAY_AGENT_PRINCIPAL_ID', '')
  }
]
