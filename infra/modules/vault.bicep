// Holds one secret, the clientState, which infra/scripts/client-state.sh creates. The template never sees its value.

param name string
param location string
param tags object
param workspaceId string
param deployerPrincipalId string
param deployerPrincipalType string
param privateNetwork bool
param allowedIpRanges array
param endpointSubnetId string
param zoneId string

// Key Vault Secrets Officer.
var secretsOfficer = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
var ipRules = [for range in allowedIpRanges: {
  value: range
}]

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' = {
  // checkov:skip=CKV_AZURE_109:Deny with privateNetwork=true; without it every access needs an Entra identity with a role
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: true
    softDeleteRetentionInDays: 90
    publicNetworkAccess: privateNetwork && empty(allowedIpRanges) ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
      ipRules: privateNetwork ? ipRules : []
    }
  }
}

resource access 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'access'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'AuditEvent'
        enabled: true
      }
    ]
  }
}

// The deploying principal sets and rotates the secret.
resource deployer 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(deployerPrincipalId)) {
  name: guid(vault.id, deployerPrincipalId, secretsOfficer)
  scope: vault
  properties: {
    principalId: deployerPrincipalId
    principalType: deployerPrincipalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsOfficer)
  }
}

module endpoint 'private-endpoint.bicep' = if (privateNetwork) {
  name: 'vault-endpoint'
  params: {
    name: 'pe-${name}'
    location: location
    tags: tags
    resourceId: vault.id
    service: 'vault'
    subnetId: endpointSubnetId
    zoneId: zoneId
  }
}

output name string = vault.name
output uri string = vault.properties.vaultUri
