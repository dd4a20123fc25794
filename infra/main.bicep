// Everything that photorelay needs in Azure, in one resource group. docs/deploy.md describes the deployment.
//
//   az deployment sub create --location <region> --template-file infra/main.bicep \
//     --parameters infra/environments/production.bicepparam
//
// This template creates no storage key, connection string or other secret. infra/scripts/client-state.sh stores the
// only secret, the clientState, in the vault.

targetScope = 'subscription'

@description('Short name of the environment, part of every resource name.')
@minLength(2)
@maxLength(12)
param environmentName string

@description('Azure region. It must offer Flex Consumption.')
param location string

@description('Resource group that contains all resources.')
param resourceGroupName string = 'rg-photorelay-${environmentName}'

@description('The targets, in order. The first one owns the queue photo-writebacks, the others photo-writebacks-{name}. domains: on-premises DNS domains, separated by commas, or * for all users. Set agentCertificate to the base64 of the DER certificate that the agent signs in with (this template then creates its app registration), or agentPrincipalId to the object ID of an existing service principal, or neither if there is no agent yet.')
param targets array = [
  {
    name: 'ad'
    domains: '*'
    agentCertificate: ''
    agentPrincipalId: ''
  }
]

@description('Renditions to create, in the format of PHOTORELAY_RENDITIONS.')
param renditions string = 'thumbnailPhoto:96:10240'

@description('Object IDs of Entra groups, separated by commas: only their members are in scope. Requires one more Graph permission. Empty: all users.')
param scopeGroups string = ''

@description('Whether this template grants the Graph application permissions. False if another team does so with infra/scripts/grant-graph-roles.sh.')
param grantGraphRoles bool = true

@description('Days during which an entry of the audit trail cannot be changed or deleted.')
@minValue(1)
@maxValue(146000)
param auditRetentionDays int = 365

@description('WARNING: cannot be undone. True once infra/scripts/lock-audit.sh has locked the WORM policy: from then on, the policy can only be extended, and the container, the account and the resource group cannot be deleted before the last entry has expired.')
param auditLocked bool = false

@description('Days for which a deleted photo or state blob can be restored. The photos of a forgotten user are gone only after this period.')
@minValue(1)
@maxValue(365)
param softDeleteDays int = 7

@description('True: storage and vault are reachable only through private endpoints and from allowedIpRanges. The webhook stays public, because Microsoft Graph calls it.')
param privateNetwork bool = false

@description('With privateNetwork: public addresses (IPv4 or CIDR) of agents and operators without a route to the private endpoints.')
param allowedIpRanges array = []

@description('With privateNetwork: address space of the virtual network.')
param virtualNetworkPrefix string = '10.80.0.0/24'

@description('With privateNetwork: subnet for the outbound traffic of the function app, a /27 or larger.')
param functionsSubnetPrefix string = '10.80.0.0/26'

@description('With privateNetwork: subnet for the private endpoints.')
param endpointSubnetPrefix string = '10.80.0.64/26'

@description('Number of webhook instances that always run. 1 answers Graph within its 10 seconds even after an idle period; 0 saves that cost.')
@minValue(0)
param alwaysReadyInstances int = 1

@description('Redundancy of both storage accounts.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
param storageRedundancy string = 'Standard_ZRS'

@description('E-mail address that receives alerts. Without an address, alerts appear only in the portal.')
param alertEmail string = ''

@description('Object ID of the principal that deploys and may then set the secret in the vault. Empty: this template grants that right to no one.')
param deployerPrincipalId string = ''

@description('Principal type of deployerPrincipalId.')
@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
param deployerPrincipalType string = 'User'

@description('Object ID of the Entra group whose members may look at everything and change nothing. Empty: this template grants no one these rights.')
param readerGroupId string = ''

@description('Object ID of the Entra group whose members may also approve, reject, stop, restore and forget. Empty: this template grants no one these rights.')
param operatorGroupId string = ''

@description('Retention period of logs, in days.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

// The names that the code uses. tests/it/infra.rs compares both.
var photosContainer = 'photos'
var auditContainer = 'audit'
var stateContainer = 'state'
var receiptsContainer = 'receipts'
var agentsContainer = 'agents'
var checksQueue = 'photo-checks'
var subscriptionsQueue = 'photo-subscriptions'
var writebacksQueue = 'photo-writebacks'
var writebackQueues = [for (target, index) in targets: (index == 0 ? writebacksQueue : '${writebacksQueue}-${target.name}')]
var poisonQueues = [for queue in concat([
  checksQueue
  subscriptionsQueue
], writebackQueues): '${queue}-poison']
var targetSettings = [for target in targets: '${target.name}=${target.domains}']

var token = uniqueString(subscription().id, resourceGroupName, location)
var tags = {
  workload: 'photorelay'
  environment: environmentName
  'azd-env-name': environmentName
}

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: resourceGroupName
  location: location
  tags: tags
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: {
    name: 'vnet-photorelay-${environmentName}'
    location: location
    tags: tags
    addressPrefix: virtualNetworkPrefix
    functionsSubnetPrefix: functionsSubnetPrefix
    endpointSubnetPrefix: endpointSubnetPrefix
  }
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-photorelay-${environmentName}'
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    suffix: environmentName
    location: location
    tags: tags
    retentionDays: logRetentionDays
  }
}

// Packages, locks and timer state of the Functions host. Separate from the data, because the host has full rights here.
module hostStorage 'modules/host-storage.bicep' = {
  name: 'host-storage'
  scope: group
  params: {
    name: 'sthost${take(token, 13)}'
    location: location
    tags: tags
    redundancy: storageRedundancy
    privateNetwork: privateNetwork
    endpointSubnetId: privateNetwork ? network.outputs.endpointSubnetId : ''
    blobZoneId: privateNetwork ? network.outputs.blobZoneId : ''
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'stphoto${take(token, 13)}'
    location: location
    tags: tags
    redundancy: storageRedundancy
    containers: [
      photosContainer
      stateContainer
      receiptsContainer
      agentsContainer
    ]
    auditContainer: auditContainer
    auditRetentionDays: auditRetentionDays
    auditLocked: auditLocked
    softDeleteDays: softDeleteDays
    stateContainer: stateContainer
    agentsContainer: agentsContainer
    queues: concat([
      checksQueue
      subscriptionsQueue
    ], writebackQueues)
    workspaceId: monitoring.outputs.workspaceId
    privateNetwork: privateNetwork
    allowedIpRanges: allowedIpRanges
    endpointSubnetId: privateNetwork ? network.outputs.endpointSubnetId : ''
    blobZoneId: privateNetwork ? network.outputs.blobZoneId : ''
    queueZoneId: privateNetwork ? network.outputs.queueZoneId : ''
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: 'kv-photo-${take(token, 13)}'
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    deployerPrincipalId: deployerPrincipalId
    deployerPrincipalType: deployerPrincipalType
    privateNetwork: privateNetwork
    allowedIpRanges: allowedIpRanges
    endpointSubnetId: privateNetwork ? network.outputs.endpointSubnetId : ''
    zoneId: privateNetwork ? network.outputs.vaultZoneId : ''
  }
}

module createOnlyRole 'modules/create-only-role.bicep' = {
  name: 'create-only-role'
  scope: group
}

module eraseRole 'modules/erase-role.bicep' = {
  name: 'erase-role'
  scope: group
}

// Before the app, so that its roles are in place when it first starts.
module functionAccess 'modules/function-access.bicep' = {
  name: 'function-access'
  scope: group
  params: {
    principalId: identity.outputs.principalId
    hostStorageName: hostStorage.outputs.name
    storageName: storage.outputs.name
    vaultName: vault.outputs.name
    insightsName: monitoring.outputs.insightsName
    writtenContainers: [
      photosContainer
      stateContainer
    ]
    createdContainers: [
      auditContainer
    ]
    createOnlyRoleId: createOnlyRole.outputs.roleDefinitionId
    readContainers: [
      receiptsContainer
      agentsContainer
    ]
    eraseRoleId: eraseRole.outputs.roleDefinitionId
    receiptsContainer: receiptsContainer
    workedQueues: [
      checksQueue
      '${checksQueue}-poison'
      subscriptionsQueue
      '${subscriptionsQueue}-poison'
    ]
    sentQueues: writebackQueues
  }
}

module functionApp 'modules/function-app.bicep' = {
  name: 'function-app'
  scope: group
  params: {
    name: 'func-photorelay-${environmentName}-${take(token, 6)}'
    location: location
    tags: tags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    hostStorageName: hostStorage.outputs.name
    packageContainerUri: hostStorage.outputs.packageContainerUri
    blobServiceUri: storage.outputs.blobServiceUri
    queueServiceUri: storage.outputs.queueServiceUri
    vaultUri: vault.outputs.uri
    insightsConnectionString: monitoring.outputs.connectionString
    alwaysReadyInstances: alwaysReadyInstances
    targets: join(targetSettings, ';')
    renditions: renditions
    scopeGroups: scopeGroups
    privateNetwork: privateNetwork
    functionsSubnetId: privateNetwork ? network.outputs.functionsSubnetId : ''
  }
  dependsOn: [
    functionAccess
  ]
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    suffix: environmentName
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    email: alertEmail
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    suffix: environmentName
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
  }
}

// Resources in Microsoft Graph are in graph/, so that another team can deploy them.
module graphRoles 'graph/function-roles.bicep' = if (grantGraphRoles) {
  name: 'graph-roles'
  scope: group
  params: {
    principalId: identity.outputs.principalId
    readsGroups: !empty(scopeGroups)
  }
}

module agentApps 'graph/agent-app.bicep' = [for target in targets: if (!empty(target.agentCertificate)) {
  name: 'agent-app-${target.name}'
  scope: group
  params: {
    uniqueName: 'photorelay-agent-${environmentName}-${target.name}'
    certificate: target.agentCertificate
  }
}]

module agentAccess 'modules/agent-access.bicep' = [for (target, index) in targets: if (!empty(target.agentCertificate) || !empty(target.agentPrincipalId)) {
  name: 'agent-access-${target.name}'
  scope: group
  params: {
    principalId: empty(target.agentCertificate) ? target.agentPrincipalId : agentApps[index].outputs.principalId
    storageName: storage.outputs.name
    readContainers: [
      photosContainer
      auditContainer
      // The list of users, for those who have left.
      stateContainer
    ]
    writtenContainers: [
      agentsContainer
    ]
    createdContainers: [
      receiptsContainer
    ]
    createOnlyRoleId: createOnlyRole.outputs.roleDefinitionId
    queue: writebackQueues[index]
  }
}]

module deleteOnlyRole 'modules/delete-only-role.bicep' = {
  name: 'delete-only-role'
  scope: group
}

var people = [
  {
    role: 'reader'
    groupId: readerGroupId
    acts: false
  }
  {
    role: 'operator'
    groupId: operatorGroupId
    acts: true
  }
]

module operatorAccess 'modules/operator-access.bicep' = [for person in people: if (!empty(person.groupId)) {
  name: '${person.role}-access'
  scope: group
  params: {
    principalId: person.groupId
    acts: person.acts
    storageName: storage.outputs.name
    readContainers: [
      photosContainer
      auditContainer
      stateContainer
      receiptsContainer
      agentsContainer
    ]
    writtenContainers: [
      stateContainer
      agentsContainer
    ]
    createdContainers: [
      auditContainer
    ]
    deletedContainers: [
      photosContainer
    ]
    receiptsContainer: receiptsContainer
    createOnlyRoleId: createOnlyRole.outputs.roleDefinitionId
    deleteOnlyRoleId: deleteOnlyRole.outputs.roleDefinitionId
    eraseRoleId: eraseRole.outputs.roleDefinitionId
    sentQueues: writebackQueues
    emptiedQueues: poisonQueues
  }
}]

output AZURE_TENANT_ID string = tenant().tenantId
output AZURE_RESOURCE_GROUP string = group.name
output FUNCTION_APP_NAME string = functionApp.outputs.name
output FUNCTION_APP_URL string = functionApp.outputs.url
output FUNCTION_IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId
output KEY_VAULT_NAME string = vault.outputs.name
output STORAGE_ACCOUNT_NAME string = storage.outputs.name
output AUDIT_LOCKED bool = auditLocked
// Values for the agent's settings: PhotoStorage__blobServiceUri, PhotoStorage__queueServiceUri, PHOTORELAY_CLIENT_ID.
output AGENT_BLOB_SERVICE_URI string = storage.outputs.blobServiceUri
output AGENT_QUEUE_SERVICE_URI string = storage.outputs.queueServiceUri
output AGENT_CLIENT_IDS array = [for (target, index) in targets: {
  target: target.name
  clientId: empty(target.agentCertificate) ? '' : agentApps[index].outputs.clientId
}]
