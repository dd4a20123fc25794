// Photos, audit trail, state, receipts and queues. There are no shared keys: every access uses an Entra identity with a
// role.

param name string
param location string
param tags object
param redundancy string

@description('Containers without a WORM policy.')
param containers array
param auditContainer string
param auditRetentionDays int
param auditLocked bool
param softDeleteDays int
param stateContainer string
param agentsContainer string

@description('Queues. Each gets a poison queue as well.')
param queues array
param workspaceId string
param privateNetwork bool
param allowedIpRanges array
param endpointSubnetId string
param blobZoneId string
param queueZoneId string

var ipRules = [for range in allowedIpRanges: {
  value: range
  action: 'Allow'
}]

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  // checkov:skip=CKV_AZURE_35:Deny with privateNetwork=true; without it every access needs an Entra identity, as there is no key
  // checkov:skip=CKV_AZURE_206:redundancy is a parameter, zone-redundant by default
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: redundancy
  }
  properties: {
    accessTier: 'Hot'
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: privateNetwork && empty(allowedIpRanges) ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
      ipRules: privateNetwork ? ipRules : []
    }
  }
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  name: 'default'
  parent: account
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: softDeleteDays
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: softDeleteDays
    }
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = [for containerName in containers: {
  name: containerName
  parent: blobService
  properties: {
    publicAccess: 'None'
  }
}]

resource audit 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  name: auditContainer
  parent: blobService
  properties: {
    publicAccess: 'None'
  }
}

// Entries are created once and never appended to, so protected appends are not needed. A locked policy can only be
// extended manually, so the template leaves it unchanged.
resource worm 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2023-05-01' = if (!auditLocked) {
  name: 'default'
  parent: audit
  properties: {
    immutabilityPeriodSinceCreationInDays: auditRetentionDays
    allowProtectedAppendWrites: false
    allowProtectedAppendWritesAll: false
  }
}

// Deletes only dispensable data. Photos, the trail and receipts never expire.
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01' = {
  name: 'default'
  parent: account
  properties: {
    policy: {
      rules: [
        {
          // Copies of dead-lettered messages, with the reason.
          name: 'old-poison'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: [
                'blockBlob'
              ]
              prefixMatch: [
                '${stateContainer}/poison/'
                '${agentsContainer}/poison/'
              ]
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: 90
                }
              }
            }
          }
        }
        {
          // Agents write heartbeats continuously; a heartbeat this old belongs to an agent that no longer exists.
          name: 'old-agents'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: [
                'blockBlob'
              ]
              prefixMatch: [
                '${agentsContainer}/heartbeats/'
                '${agentsContainer}/brake/'
              ]
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: 60
                }
              }
            }
          }
        }
      ]
    }
  }
  dependsOn: [
    blobService
  ]
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2023-05-01' = {
  name: 'default'
  parent: account
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = [for queueName in queues: {
  name: queueName
  parent: queueService
}]

resource poison 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = [for queueName in queues: {
  name: '${queueName}-poison'
  parent: queueService
}]

// Logs who deleted what. Reads and writes are routine, and the application logs them itself.
resource deletions 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'deletions'
  scope: blobService
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
  }
}

module blobEndpoint 'private-endpoint.bicep' = if (privateNetwork) {
  name: 'blob-endpoint'
  params: {
    name: 'pe-${name}-blob'
    location: location
    tags: tags
    resourceId: account.id
    service: 'blob'
    subnetId: endpointSubnetId
    zoneId: blobZoneId
  }
}

module queueEndpoint 'private-endpoint.bicep' = if (privateNetwork) {
  name: 'queue-endpoint'
  params: {
    name: 'pe-${name}-queue'
    location: location
    tags: tags
    resourceId: account.id
    service: 'queue'
    subnetId: endpointSubnetId
    zoneId: queueZoneId
  }
}

output name string = account.name
output blobServiceUri string = account.properties.primaryEndpoints.blob
output queueServiceUri string = account.properties.primaryEndpoints.queue
